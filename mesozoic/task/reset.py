"""How an episode begins. All randomness comes in as uniform samples, so every engine resets alike."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import FREE_QPOS, Anatomy
from mesozoic.task.arrays import XP, Array, TaskState
from mesozoic.task.pushes import UNIFORMS_PER_PUSH, push_count, schedule_pushes

FAR = 50.0
"""Hip heights to the point that an animal faces where there is no prey: far, so that drifting hardly turns it."""
SCALARS = 6
"""Samples for heading, gait phase, the target's distance, bearing and height, and friction."""


def uniforms_per_reset(anatomy: Anatomy, env: EnvSection) -> int:
    """Samples of [0, 1) that one reset of one world consumes."""
    joints = anatomy.nj
    return SCALARS + joints + anatomy.nv + UNIFORMS_PER_PUSH * push_count(anatomy, env)


def reset(xp: XP, anatomy: Anatomy, env: EnvSection, uniforms: Array) -> tuple[TaskState, Array, Array]:
    """Begin episodes: home pose, any heading, noise on joints and velocities.

    Args:
        uniforms: [n, uniforms_per_reset(...)] float32 samples of [0, 1).

    Returns:
        The state, `qpos` [n, nq] and `qvel` [n, nv]. Joint angles differ from home by up to
        `reset_noise_scale` radians, velocities by as much in units of sqrt(g*h) and sqrt(g/h).
    """
    n = uniforms.shape[0]
    joints = anatomy.nj
    first_joint, first_velocity = SCALARS, SCALARS + joints
    first_push = first_velocity + anatomy.nv
    yaw = 2.0 * math.pi * uniforms[:, 0]
    angle_noise = (2.0 * uniforms[:, first_joint:first_velocity] - 1.0) * env.reset_noise_scale
    velocity_noise = (2.0 * uniforms[:, first_velocity:first_push] - 1.0) * env.reset_noise_scale
    pushes = uniforms[:, first_push:].reshape(n, push_count(anatomy, env), UNIFORMS_PER_PUSH)
    push_start, push_velocity = schedule_pushes(xp, anatomy, env, pushes)

    zero = xp.zeros_like(yaw)
    root = xp.stack([zero, zero, zero + anatomy.home_qpos[2], xp.cos(yaw / 2), zero, zero, xp.sin(yaw / 2)], axis=1)
    qpos = xp.concatenate([root, anatomy.home_qpos[FREE_QPOS:] + angle_noise], axis=1)
    speed, rate = anatomy.speed_unit, 1.0 / anatomy.time_unit
    qvel = xp.concatenate([velocity_noise[:, :3] * speed, velocity_noise[:, 3:] * rate], axis=1)

    state = TaskState(
        step=xp.zeros(n, dtype=xp.int32),
        prev_action=xp.zeros((n, anatomy.nu), dtype=xp.float32),
        origin=xp.zeros((n, 2), dtype=xp.float32),
        target=_place_target(xp, anatomy, env, yaw, uniforms[:, 2:5]),
        phase=uniforms[:, 1],
        gap=zero,
        foot_pos=xp.zeros((n, len(anatomy.foot_names), 3), dtype=xp.float32),
        struck=xp.full(n, -1, dtype=xp.int32),
        push_start=push_start,
        push_velocity=push_velocity,
    )
    return state, qpos, qvel


def model_fields(env: EnvSection, uniforms: Array) -> dict[str, Array]:
    """What differs from the animal's model in each episode, name -> [n]; empty where nothing does.

    `friction`: sliding friction of floor and feet.
    """
    if env.friction_range is None:
        return {}
    low, high = env.friction_range
    return {"friction": low + uniforms[:, 5] * (high - low)}


def _place_target(xp: XP, anatomy: Anatomy, env: EnvSection, yaw: Array, uniforms: Array) -> Array:
    """The target of each episode, [n, 3] metres, from samples [n, 3] for distance, bearing and height."""
    near, far = env.prey_distance_range or (FAR, FAR)
    low, high = env.prey_height_range if env.has_target else (0.0, 0.0)
    distance = (near + uniforms[:, 0] * (far - near)) * anatomy.hip_height
    bearing = yaw + (2.0 * uniforms[:, 1] - 1.0) * math.radians(env.target_bearing)
    height = (low + uniforms[:, 2] * (high - low)) * anatomy.hip_height
    return xp.stack([distance * xp.cos(bearing), distance * xp.sin(bearing), height], axis=1)
