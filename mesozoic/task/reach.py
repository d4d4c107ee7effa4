"""Reaching the target: what counts, and for how long it must hold."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Kinematics, TaskState
from mesozoic.task.kinematics import tilt_cosine


def hold_steps(anatomy: Anatomy, env: EnvSection) -> int:
    """Control steps that the animal must stay up after it has reached the target."""
    return max(1, round(env.hold_time / anatomy.dt))


def strike(xp: XP, env: EnvSection, state: TaskState, kin: Kinematics, fallen: Array) -> tuple[Array, Array]:
    """Whether a strike site touches the target in this step, [n] bool, and steps since it did, [n] int32.

    Only an upright animal can; one that topples over the target does not count.
    """
    if not env.has_target:
        return xp.zeros_like(fallen), state.struck
    upright = tilt_cosine(kin) >= math.cos(math.radians(env.reach_tilt))
    now = (state.struck < 0) & (kin.gap <= env.reach_radius) & upright & ~fallen
    since = xp.where(state.struck >= 0, state.struck + 1, state.struck)
    return now, xp.where(now, 0, since).astype(xp.int32)
