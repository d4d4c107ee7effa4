"""Chooses the OpenGL to draw with, and says which setting is to blame where none works."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
from collections.abc import Iterable

from mesozoic.errors import UserError

VARIABLE = "MUJOCO_GL"
OFF = ("disable", "disabled", "off", "false", "0")
DEFAULT = ("", "enable", "enabled", "on", "true", "1")
"""Values by which MuJoCo means "no rendering" and "whatever the platform has"."""

ALIASES = {"glx": "glfw", "wgl": "glfw"}
"""Names that MuJoCo's variable accepts and the module of it that has the context."""

BACKENDS = {"linux": ("egl", "osmesa"), "darwin": ("cgl",), "win32": ("glfw",)}
"""What to try, best first. EGL uses a GPU if there is one, OSMesa draws on the CPU and needs no driver."""

BINDING = "PYOPENGL_PLATFORM"
SUSPECTS = (BINDING, "MUJOCO_EGL_DEVICE_ID")
"""Variables that can keep an OpenGL from working which is there."""

LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
INSTALL = {
    "linux": "install one with 'apt-get install libegl1 libgl1-mesa-dri libopengl0 libosmesa6' (Debian/Ubuntu)",
    "darwin": "log in to a desktop session",
    "win32": "install a graphics driver",
}
PROBE_TIMEOUT = 60.0
PROBE = """
import importlib, os, sys
name = sys.argv[1]
os.environ["MUJOCO_GL"] = "disable"
import mujoco
os.environ["MUJOCO_GL"] = name
context = importlib.import_module("mujoco." + name).GLContext(16, 16)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), 100).free()
context.free()
"""


def choose_gl() -> str:
    """Decide which OpenGL to render with, and record it in the environment variable `MUJOCO_GL`.

    A value that is already set is taken without trying it. Otherwise each backend is tried in a process of its own, so
    that a driver that crashes takes nothing else down; about a second. Where PyOpenGL has been told which one to use,
    it is that one or none.

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
    failures = {}
    bound = os.environ.get(BINDING, "").lower()
    for name in (bound,) if bound in _backends() else _backends():
        failure = _probe(name)
        if failure is None:
            os.environ[VARIABLE] = name
            return name
        failures[name] = failure
        if blamed := _blame(name, failure):
            raise UserError(blamed)
    if bound in failures and (other := _other(bound)):
        raise UserError(
            f"{BINDING}={bound} does not work here ({failures[bound]}), {other} does; run 'unset {BINDING}'"
        )
    said = "; ".join(f"{name}: {failure}" for name, failure in failures.items())
    raise UserError(f"no OpenGL to render with ({said}); {INSTALL[_platform()]}")


def why_not(name: str, failure: str) -> UserError:
    """What to do about a chosen backend that turned out not to work, because of `failure`."""
    if blamed := _blame(name, failure):
        return UserError(blamed)
    failure = _missing(name) or failure
    if other := _other(name):
        return UserError(f"{VARIABLE}={name} does not work here ({failure}), {other} does; run 'unset {VARIABLE}'")
    return UserError(f"{VARIABLE}={name} does not work here ({failure}), nor does another; {INSTALL[_platform()]}")


def last_line(text: str) -> str:
    """The last line of an error message that says something, as part of a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160].rstrip(".") if lines else ""


def _blame(name: str, failure: str) -> str:
    """The sentence about settings without which the backend works; empty if it is not for them."""
    set_here = [variable for variable in SUSPECTS if os.environ.get(variable)]
    for group in [*([variable] for variable in set_here), *([set_here] if len(set_here) > 1 else [])]:
        if _probe(name, without=group) is None:
            settings = " and ".join(f"{variable}={os.environ[variable]}" for variable in group)
            reason = f"it wants {BINDING}={name} or unset" if BINDING in group else failure
            return f"{name} does not work with {settings} ({reason}); run 'unset {' '.join(group)}'"
    return ""


def _other(name: str) -> str:
    """A backend that works once no setting is in its way; empty if none does."""
    others = (other for other in _backends() if other != name)
    return next((other for other in others if _probe(other, without=SUSPECTS) is None), "")


def _platform() -> str:
    return sys.platform if sys.platform in BACKENDS else "linux"


def _backends() -> tuple[str, ...]:
    return BACKENDS[_platform()]


def _missing(name: str) -> str:
    """Which library is not there; empty if it is, or if nobody knows."""
    library = LIBRARIES.get(name)
    return f"lib{library} is not installed" if library and ctypes.util.find_library(library) is None else ""


def _probe(name: str, without: Iterable[str] = ()) -> str | None:
    """Create a context in another process, which lacks some variables; None if that works, else why not."""
    environment = {key: value for key, value in os.environ.items() if key not in without}
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
    return _missing(name) or last_line(done.stderr) or f"exit code {done.returncode}"
