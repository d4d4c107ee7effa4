"""The gait clock: when each foot should stand and when it should swing.

Each foot runs through a stride as the clock does, shifted by its offset: it stands for the share
`gait_duty` of the stride and swings for the rest. The clock is part of the observation, so that a
policy can keep time with it; whether the feet really do is measured from floor contact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, TaskState, columns, mean
from mesozoic.task.constants import once, single, whole

GRACE = 0.06
"""Share of a stride before and after touchdown and lift-off in which either is fine."""


def advance(env: EnvSection, anatomy: Anatomy, phase: Array) -> Array:
    """The clock one control step later, [n]."""
    return (phase + single(env.gait_frequency * anatomy.dt / anatomy.time_unit)) % single(1.0)


def commanded_speed(xp: XP, env: EnvSection, state: TaskState) -> Array:
    """Speed asked for, [n] in units of sqrt(g*h): none once the target has been reached."""
    return xp.where(state.struck < whole(0), single(math.sqrt(env.target_froude)), single(0.0))


def clock(xp: XP, env: EnvSection, state: TaskState) -> Array:
    """Sine and cosine of the clock, [n, 2]; zero for an animal that should stand."""
    if env.gait_frequency == 0.0:
        return xp.zeros((state.phase.shape[0], 2), dtype=xp.float32)
    angle = single(2.0 * math.pi) * state.phase
    return columns(xp, [xp.sin(angle), xp.cos(angle)])


def foot_phase(env: EnvSection, phase: Array) -> Array:
    """Where each foot is in its stride, [n, nfeet] in [0, 1); it should stand below `gait_duty`."""
    return (phase[:, None] + _offsets(env)) % single(1.0)


@once
def _offsets(env: EnvSection) -> NDArray[np.float32]:
    return np.array([env.gait_offsets], dtype=np.float32)


def wrong_contact(xp: XP, env: EnvSection, phase: Array, loaded: Array) -> Array:
    """Share of the feet that stand when they should swing or the other way about, [n].

    Args:
        loaded: [n, nfeet] bool.
    """
    at = foot_phase(env, phase)
    duty = single(env.gait_duty)
    wrong = loaded != (at < duty)
    nearest = xp.minimum(xp.minimum(at, single(1.0) - at), xp.abs(at - duty))
    return mean(xp, (wrong & (nearest > single(GRACE))).astype(xp.float32))


def swing_height(xp: XP, env: EnvSection, phase: Array) -> Array:
    """Height that each foot should have, [n, nfeet] in hip heights: a half sine while it swings, else 0."""
    progress = (foot_phase(env, phase) - single(env.gait_duty)) / single(1.0 - env.gait_duty)
    return single(env.clearance_height) * xp.sin(single(math.pi) * xp.maximum(progress, single(0.0)))
