"""NVIDIA Warp as a module: imported here alone, with its cache in ours, its prints off and memory left for it."""

from __future__ import annotations

import os
from typing import Any

from mesozoic.errors import UserError
from mesozoic.files import cache_folder

JAX_SHARE = "0.6"
"""Of a GPU's memory, which JAX takes at its start. Warp's arrays lie in the rest."""


def leave_room() -> None:
    """Let JAX leave memory for Warp, unless the user says how much JAX takes; call it before JAX is asked anything."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", JAX_SHARE)


def load_warp() -> Any:
    """The module, which prints only warnings.

    Raises:
        UserError: it is not installed.
    """
    try:
        import warp
    except ImportError as error:
        raise UserError(
            f"physics mjx-warp needs NVIDIA Warp, which is missing ({error}); run: pip install 'mesozoic[cuda]'"
        ) from None
    os.environ.setdefault("WARP_CACHE_PATH", str(cache_folder() / "warp"))  # read once, at the first use of Warp
    warp.config.log_level = warp.LOG_WARNING  # else it announces every kernel on standard output
    return warp


def warp_problem() -> str:
    """Why Warp cannot compute on a GPU here; empty if it can."""
    try:
        warp = load_warp()
        if not warp.get_cuda_device_count():
            return "Warp sees no CUDA device"
        warp.zeros(1, dtype=warp.float32, device="cuda:0").numpy()
    except Exception as error:  # a driver that does not fit raises anything
        return f"Warp fails ({type(error).__name__}: {error})"
    return ""
