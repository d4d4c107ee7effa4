"""Reaching the target: what counts, and for how long it must hold."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Kinematics, TaskState
from mesozoic.task.constants import once, single, whole
from mesozoic.task.kinematics import tilt_cosine


@once
def hold_steps(anatomy: Anatomy, env: EnvSection) -> int:
    """Control steps that the animal must stay up after it has reached the target."""
    return max(1, round(env.hold_time / anatomy.dt))


def strike(xp: XP, env: EnvSection, state: TaskState, kin: Kinematics, fallen: Array) -> tuple[Array, Array]:
    """Whether a strike site touches the target in this step, [n] bool, and steps since it did, [n] int32.

    Only an upright animal can; one that topples over the target does not count.
    """
    if not env.has_target:
        return xp.zeros(fallen.shape, dtype=bool), state.struck
    upright = tilt_cosine(kin) >= single(math.cos(math.radians(env.reach_tilt)))
    waiting = state.struck < whole(0)
    now = waiting & (kin.gap <= single(env.reach_radius)) & upright & ~fallen
    since = xp.where(waiting, state.struck, state.struck + whole(1))
    return now, xp.where(now, whole(0), since).astype(xp.int32)
