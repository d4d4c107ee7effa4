"""The table of physics engines: what each is called, what it needs, and the GPU that one of them is made for."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from mesozoic.errors import plain

NATIVE = "native"
"""The engine that judges every policy, whichever one it was trained on."""
WARP = "mjx-warp"
"""The engine that is made for NVIDIA GPUs."""
LOOKING = 60.0
"""Seconds for which a driver may list its GPUs."""


@dataclass(frozen=True)
class PhysicsKind:
    """One row of the table.

    Attributes:
        name: how users choose it; impl: of MuJoCo MJX, empty where it runs on the host.
        modules: what must be importable; extra: of the package, which installs them; empty: the package alone does.
    """

    name: str
    impl: str
    modules: tuple[str, ...]
    extra: str

    def missing(self) -> str:
        """What to install here before it can run; empty if nothing is missing."""
        absent = [name for name in self.modules if not _importable(name)]
        if not absent:
            return ""
        package = f"'mesozoic[{self.extra}]'" if self.extra else "mesozoic"
        return (
            f"physics '{self.name}' needs {' and '.join(absent)}, which {'is' if len(absent) == 1 else 'are'}"
            f" not installed; run: pip install {package}"
        )


PHYSICS = {
    kind.name: kind
    for kind in (
        PhysicsKind(NATIVE, impl="", modules=("mjbatch",), extra=""),
        PhysicsKind(WARP, impl="warp", modules=("mujoco.mjx", "warp"), extra="cuda"),
        PhysicsKind("mjx-jax", impl="jax", modules=("mujoco.mjx",), extra="mjx"),
    )
}


@dataclass(frozen=True)
class Gpu:
    """The first NVIDIA GPU of this machine.

    Attributes:
        name: empty if there is none, or programs are told to use none.
        problem: why `mjx-warp` cannot simulate on it; empty if it can.
    """

    name: str = ""
    problem: str = ""

    def __bool__(self) -> bool:
        """Whether there is one to simulate on."""
        return bool(self.name) and not self.problem


def gpu_here() -> Gpu:
    """What JAX, Warp and the driver say of this machine's GPU. JAX chooses its device with this call."""
    if _hidden():
        return Gpu()
    seen = _seen_by_jax()
    by_jax = "nvidia" in seen.lower()
    name = seen if by_jax else _listed()
    if not name:
        return Gpu()
    if missing := PHYSICS[WARP].missing():
        return Gpu(name, missing)
    if not by_jax:
        return Gpu(name, f"JAX sees {seen or 'no device'} only; see the driver with nvidia-smi")
    from mesozoic.sim.mjx.warp_module import warp_problem

    return Gpu(name, plain(warp_problem()))


def _hidden() -> bool:
    """Whether this process is told to leave GPUs alone."""
    platforms = os.environ.get("JAX_PLATFORMS", "").lower()
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (bool(platforms) and "cuda" not in platforms and "gpu" not in platforms) or devices in ("", "-1")


def _seen_by_jax() -> str:
    """The kind of the device that JAX computes on; empty if it cannot start."""
    from mesozoic.sim.mjx.warp_module import leave_room

    leave_room()
    import jax

    try:
        return str(jax.devices()[0].device_kind)
    except Exception:  # JAX was told to use what is not there, and raises anything; who trains with it says so
        return ""


@lru_cache(maxsize=1)
def _listed() -> str:
    """The first GPU that the driver lists; empty if it lists none."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LOOKING, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    first = done.stdout.partition("\n")[0]  # GPU 0: NVIDIA A10 (UUID: GPU-...)
    return first.partition(": ")[2].partition(" (UUID")[0] if first.startswith("GPU ") else ""


def _importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would lie in
        return False
