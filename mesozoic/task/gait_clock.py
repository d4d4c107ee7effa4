"""The gait clock: when each foot should stand and when it should swing.

Each foot runs through a stride as the clock does, shifted by its offset: it stands for the share
`gait_duty` of the stride and swings for the rest. The clock is part of the observation, so that a
policy can keep time with it; whether the feet really do is measured from floor contact.
"""

from __future__ import annotations

import math

import numpy as np

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, TaskState

GRACE = 0.06
"""Share of a stride before and after touchdown and lift-off in which either is fine."""


def advance(env: EnvSection, anatomy: Anatomy, phase: Array) -> Array:
    """The clock one control step later, [n]."""
    return (phase + np.float32(env.gait_frequency * anatomy.dt / anatomy.time_unit)) % np.float32(1.0)


def commanded_speed(xp: XP, env: EnvSection, state: TaskState) -> Array:
    """Speed asked for, [n] in units of sqrt(g*h): none once the target has been reached."""
    return xp.where(state.struck < 0, np.float32(math.sqrt(env.target_froude)), np.float32(0.0))


def clock(xp: XP, env: EnvSection, state: TaskState) -> Array:
    """Sine and cosine of the clock, [n, 2]; zero for an animal that should stand."""
    if env.gait_frequency == 0.0:
        return xp.zeros((state.phase.shape[0], 2), dtype=xp.float32)
    angle = 2.0 * math.pi * state.phase
    return xp.stack([xp.sin(angle), xp.cos(angle)], axis=1)


def foot_phase(env: EnvSection, phase: Array) -> Array:
    """Where each foot is in its stride, [n, nfeet] in [0, 1); it should stand below `gait_duty`."""
    return (phase[:, None] + np.array(env.gait_offsets, dtype=np.float32)) % np.float32(1.0)


def wrong_contact(xp: XP, env: EnvSection, phase: Array, loaded: Array) -> Array:
    """Share of the feet that stand when they should swing or the other way about, [n].

    Args:
        loaded: [n, nfeet] bool.
    """
    at = foot_phase(env, phase)
    wrong = loaded != (at < env.gait_duty)
    nearest = xp.minimum(xp.minimum(at, 1.0 - at), xp.abs(at - env.gait_duty))
    return xp.mean((wrong & (nearest > GRACE)).astype(xp.float32), axis=1)


def swing_height(xp: XP, env: EnvSection, phase: Array) -> Array:
    """Height that each foot should have, [n, nfeet] in hip heights: a half sine while it swings, else 0."""
    progress = (foot_phase(env, phase) - env.gait_duty) / (1.0 - env.gait_duty)
    return env.clearance_height * xp.sin(math.pi * xp.maximum(progress, 0.0))
