"""Whether a learner starts in this process's surroundings: its limit of memory, and the variables that JAX reads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mesozoic.errors import plain, shown

ADDRESS_SPACE = {"JAX": 3_000_000_000, "PyTorch": 2_000_000_000}
"""Bytes. With less, the smallest training on two cores dies inside the library without a word."""

HARMLESS = (("JAX_PLATFORMS", "cpu"), *(("JAX_ENABLE_X64", value) for value in ("0", "1", "true", "false")))
"""Settings that need not be tried: training asks for single precision itself."""

PROBE_TIMEOUT = 120.0
PROBE = "import jax; jax.jit(lambda x: x @ x)(jax.numpy.ones((8, 8))).block_until_ready()"


def jax_problem() -> str:
    """Why JAX cannot train in this process, and what to type; empty if it can, as far as one can tell.

    Unusual settings are tried in a process of their own, some seconds, as JAX may end the one that it fails in.
    """
    if short := memory_problem("JAX"):
        return short
    settings = tuple(
        sorted(
            (name, value)
            for name, value in os.environ.items()
            if value and (name == "XLA_FLAGS" or name.startswith("JAX_")) and (name, value.lower()) not in HARMLESS
        )
    )
    return _blame(settings) if settings else ""


def memory_problem(library: str) -> str:
    """Why this process may address too little memory for `JAX` or `PyTorch`, and what to type; else empty."""
    limit, needed = _address_space(), ADDRESS_SPACE[library]
    if limit is None or limit >= needed:
        return ""
    return (
        f"this process may address {limit / 1e9:.1f} GB of memory (ulimit -v) and {library} needs"
        f" {needed / 1e9:g} GB; run 'ulimit -v unlimited'"
    )


@lru_cache(maxsize=8)
def _blame(settings: Sequence[tuple[str, str]]) -> str:
    failure = _probe()
    if failure is None:
        return ""
    names = [name for name, _ in settings]
    for group in [*([name] for name in names), *([names] if len(names) > 1 else [])]:
        if _probe(without=group) is None:
            said = " and ".join(f"{name}={shown(os.environ[name], 60)}" for name in group)
            return f"JAX does not start with {said} ({failure}); run 'unset {' '.join(group)}'"
    return f"JAX does not start here ({failure}); see that 'python -c \"{PROBE}\"' works"


def _probe(without: Iterable[str] = ()) -> str | None:
    """Compile and run a little in another process, which lacks some variables; None if that works, else why not."""
    environment = {name: value for name, value in os.environ.items() if name not in without}
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # a GPU's memory is for the training
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {PROBE_TIMEOUT:g} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if "Error" in line or "Unknown flag" in line]
    if not lines:
        return f"exit code {done.returncode}"
    reason = lines[-1].rpartition("] ")[2].removesuffix(".")  # without the time and place that XLA begins with
    return "there is no such device" if reason == "AssertionError" else plain(reason[:120])


def _address_space() -> int | None:
    """Bytes that this process may address; None if there is no limit, or the system knows none."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
