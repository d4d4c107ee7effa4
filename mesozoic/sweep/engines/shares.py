"""Shares out a machine among trials that run side by side: cores, and GPUs where there are some."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

CORES_EACH = 2
"""Cores of a trial on a machine without GPUs, where nobody says how many run side by side."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Share:
    """What one trial at a time has of the machine; `gpu` is empty where there is none."""

    number: int
    cores: tuple[int, ...]
    gpu: str = ""


def share_of(cores: Sequence[int], slot: int, slots: int) -> list[int]:
    """The cores of one of `slots` trials or agents; with fewer cores than slots, one core, shared."""
    mine = list(cores[slot * len(cores) // slots : (slot + 1) * len(cores) // slots])
    return mine or [cores[slot % len(cores)]]


def shares(parallel: int | None) -> list[Share]:
    """The machine in equal shares.

    Args:
        parallel: how many; None: one for each GPU, else one for every two cores.
    """
    cores = _cores()
    gpus = _gpus()
    count = parallel or len(gpus) or max(1, len(cores) // CORES_EACH)
    return [
        Share(slot, tuple(share_of(cores, slot, count)), gpus[slot % len(gpus)] if gpus else "")
        for slot in range(count)
    ]


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        return [one.strip() for one in given.split(",") if one.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]
