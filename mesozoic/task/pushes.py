"""Scheduled pushes: one shove of the torso at a random moment of every interval."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, TaskState, nowhere
from mesozoic.task.constants import once, single, whole

UNIFORMS_PER_PUSH = 3


def push_count(anatomy: Anatomy, env: EnvSection) -> int:
    """Pushes in one full episode; 0 when they are turned off."""
    if env.push_velocity_max == 0.0:
        return 0
    return max(1, math.floor(env.max_episode_steps * anatomy.dt / env.push_interval + 1e-9))


@once
def push_steps(anatomy: Anatomy, env: EnvSection) -> int:
    """Control steps that one push lasts."""
    return max(1, round(env.push_duration / anatomy.dt))


def schedule_pushes(xp: XP, anatomy: Anatomy, env: EnvSection, uniforms: Array) -> tuple[Array, Array]:
    """Draw the pushes of an episode.

    Args:
        uniforms: [n, k, 3] samples of [0, 1): moment, direction, strength.

    Returns:
        `push_start` [n, k] int32 in steps and `push_velocity` [n, k, 2] in m/s. Push i begins in the
        first part of interval i, so that it ends before the next one can begin.
    """
    k = push_count(anatomy, env)
    interval = env.push_interval / anatomy.dt
    window = max(interval - push_steps(anatomy, env), 0.0)
    start = xp.arange(k, dtype=xp.float32) * interval + uniforms[:, :, 0] * window
    angle = 2.0 * math.pi * uniforms[:, :, 1]
    strength = env.push_velocity_min + uniforms[:, :, 2] * (env.push_velocity_max - env.push_velocity_min)
    strength = strength * anatomy.speed_unit
    velocity = xp.stack([strength * xp.cos(angle), strength * xp.sin(angle)], axis=2)
    return xp.floor(start).astype(xp.int32), velocity


def push_force(xp: XP, anatomy: Anatomy, env: EnvSection, state: TaskState) -> Array:
    """Force on the torso during the coming control step, world frame, newtons, [n, 3].

    A push that changes the velocity of the whole animal by dv is the force m*dv/T for the time T.
    """
    duration = push_steps(anatomy, env)
    since = state.step[:, None] - state.push_start
    active = (since >= whole(0)) & (since < whole(duration))
    if nowhere(xp, active):
        return xp.zeros((len(active), 3), dtype=xp.float32)
    newtons = single(anatomy.mass / (duration * anatomy.dt))
    force = xp.sum(xp.where(active[:, :, None], state.push_velocity, single(0.0)), axis=1) * newtons
    return xp.concatenate([force, xp.zeros_like(force[:, :1])], axis=1)
