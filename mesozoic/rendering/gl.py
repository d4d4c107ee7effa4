"""Finds an OpenGL that works without a screen, and opens contexts on it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import Any

from mesozoic.errors import UserError

VARIABLE = "MUJOCO_GL"
OFF = ("disable", "disabled", "off", "false", "0")
DEFAULT = ("", "enable", "enabled", "on", "true", "1")
"""Values by which MuJoCo means "no rendering" and "whatever the platform has"."""

ALIASES = {"glx": "glfw", "wgl": "glfw"}
"""Names that MuJoCo's variable accepts and the module of it that has the context."""

BACKENDS = {"linux": ("egl", "osmesa"), "darwin": ("cgl",), "win32": ("glfw",)}
"""What to try, best first. EGL uses a GPU if there is one, OSMesa draws on the CPU and needs no driver."""

INSTALL = {
    "linux": "install one with 'apt-get install libegl1 libgl1-mesa-dri libopengl0 libosmesa6' (Debian/Ubuntu)",
    "darwin": "log in to a desktop session",
    "win32": "install a graphics driver",
}
PROBE_TIMEOUT = 60.0
PROBE = """
import importlib, sys
import mujoco
context = importlib.import_module("mujoco." + sys.argv[1]).GLContext(16, 16)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), 100).free()
context.free()
"""


def choose_gl() -> str:
    """Decide which OpenGL to render with, and record it in the environment variable `MUJOCO_GL`.

    A value that is already set is taken without trying it. Otherwise each backend is tried in a
    process of its own, so that a driver that crashes takes nothing else down; about a second.

    Returns:
        `egl` or `osmesa` on Linux, `cgl` on macOS, `glfw` on Windows, or what the variable asks for.

    Raises:
        UserError: no backend works, or the variable turns rendering off or names no backend.
    """
    wanted = os.environ.get(VARIABLE, "").strip().lower()
    if wanted in OFF:
        raise UserError(f"{VARIABLE}={wanted} turns rendering off; run 'unset {VARIABLE}'")
    if wanted not in DEFAULT:
        known = ("egl", "osmesa", "glfw", "cgl", *ALIASES)
        if wanted not in known:
            raise UserError(f"{VARIABLE}={wanted} names no OpenGL backend; set one of {', '.join(known)} or unset it")
        return ALIASES.get(wanted, wanted)
    platform = sys.platform if sys.platform in BACKENDS else "linux"
    failures = []
    for name in BACKENDS[platform]:
        failure = _probe(name)
        if failure is None:
            os.environ[VARIABLE] = name
            return name
        failures.append(f"{name}: {failure}")
    raise UserError(f"no OpenGL to render with ({'; '.join(failures)}); {INSTALL[platform]}")


def open_context(width: int, height: int) -> Any:
    """Open a context of `width` x `height` pixels and make it current; the caller must `free()` it.

    Raises:
        UserError: the chosen backend does not work.
    """
    # MuJoCo's own Renderer takes the backend that MUJOCO_GL named when mujoco was first imported. By now the
    # simulation has imported it, with any value or none, so we ask for the backend's context class by name instead.
    name = choose_gl()
    try:
        context = importlib.import_module(f"mujoco.{name}").GLContext(width, height)
        context.make_current()
    except Exception as error:  # PyOpenGL raises anything from AttributeError to its own classes
        reason = _last_line(str(error)) or type(error).__name__
        raise UserError(f"{VARIABLE}={name} does not work here ({reason}); run 'unset {VARIABLE}'") from error
    return context


def _probe(name: str) -> str | None:
    """Create a context in another process; None if that works, else why not."""
    environment = {**os.environ, VARIABLE: name}
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, name],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {PROBE_TIMEOUT:g} s"
    if done.returncode == 0:
        return None
    return _last_line(done.stderr) or f"exit code {done.returncode}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160].rstrip(".") if lines else ""
