"""When the physics of a world has broken down, for every engine."""

from __future__ import annotations

import numpy as np

from mesozoic.task.arrays import XP, Array

MAX_SPEED = np.array(1e4)
"""m/s or rad/s; no animal moves like that, a world that does has diverged."""


def broken(xp: XP, qpos: Array, qvel: Array) -> Array:
    """[n] bool from `qpos` [n, nq], `qvel` [n, nv]: something is not finite, or faster than anything that moves."""
    fastest = xp.maximum.reduce(xp.abs(qvel), axis=1)
    return ~(fastest < MAX_SPEED) | ~xp.isfinite(xp.add.reduce(qpos, axis=1))
