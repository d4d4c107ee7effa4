"""Versions and machine facts that are written into every run."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from mesozoic.version import __version__

PACKAGES = (
    *("mujoco", "mjbatch", "jax", "jaxlib", "flax", "optax", "numpy", "gymnasium"),
    *("mujoco-mjx", "warp-lang"),
    *("torch", "stable-baselines3"),
)


def versions() -> dict[str, str]:
    """Package -> installed version, of the packages that decide results."""
    found = {"mesozoic": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """Cores this process may use. Reductions are split over them, so results depend on their number."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
