"""Imports MuJoCo for all others, who take it from here: what draws nothing needs no OpenGL that works.

MuJoCo loads the OpenGL that `MUJOCO_GL` names when it is first imported, and fails as a whole where that is missing.
"""

from __future__ import annotations

import os

__all__ = ["mujoco"]

VARIABLE = "MUJOCO_GL"


_before = {name: os.environ.get(name) for name in (VARIABLE, "PYOPENGL_PLATFORM")}
try:
    import mujoco
except ModuleNotFoundError:
    raise
except Exception:  # each OpenGL binding raises errors of its own
    os.environ[VARIABLE] = "disable"
    try:
        import mujoco
    finally:
        for _name, _value in _before.items():
            if _value is None:
                os.environ.pop(_name, None)
            else:
                os.environ[_name] = _value
