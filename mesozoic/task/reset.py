"""How an episode begins. All randomness comes in as uniform samples, so every engine resets alike."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import FREE_QPOS, Anatomy
from mesozoic.task.arrays import XP, Array, Memory
from mesozoic.task.pushes import UNIFORMS_PER_PUSH, push_count, schedule_pushes

TARGET_DISTANCE = 20.0
"""Hip heights to the point that a balancing animal faces: far, so that drifting hardly turns it."""


def uniforms_per_reset(anatomy: Anatomy, env: EnvSection) -> int:
    """Samples of [0, 1) that one reset of one world consumes."""
    joints = anatomy.nj
    return 1 + joints + anatomy.nv + UNIFORMS_PER_PUSH * push_count(anatomy, env)


def reset(xp: XP, anatomy: Anatomy, env: EnvSection, uniforms: Array) -> tuple[Memory, Array, Array]:
    """Begin episodes: home pose, any heading, noise on joints and velocities.

    Args:
        uniforms: [n, uniforms_per_reset(...)] float32 samples of [0, 1).

    Returns:
        The memory, `qpos` [n, nq] and `qvel` [n, nv]. Joint angles differ from home by up to
        `reset_noise_scale` radians, velocities by as much in units of sqrt(g*h) and sqrt(g/h).
    """
    n = uniforms.shape[0]
    joints = anatomy.nj
    yaw = 2.0 * math.pi * uniforms[:, 0]
    angle_noise = (2.0 * uniforms[:, 1 : 1 + joints] - 1.0) * env.reset_noise_scale
    velocity_noise = (2.0 * uniforms[:, 1 + joints : 1 + joints + anatomy.nv] - 1.0) * env.reset_noise_scale
    pushes = uniforms[:, 1 + joints + anatomy.nv :].reshape(n, push_count(anatomy, env), UNIFORMS_PER_PUSH)
    push_start, push_velocity = schedule_pushes(xp, anatomy, env, pushes)

    zero = xp.zeros_like(yaw)
    root = xp.stack([zero, zero, zero + anatomy.home_qpos[2], xp.cos(yaw / 2), zero, zero, xp.sin(yaw / 2)], axis=1)
    qpos = xp.concatenate([root, anatomy.home_qpos[FREE_QPOS:] + angle_noise], axis=1)
    speed, rate = anatomy.speed_unit, 1.0 / anatomy.time_unit
    qvel = xp.concatenate([velocity_noise[:, :3] * speed, velocity_noise[:, 3:] * rate], axis=1)

    reach = TARGET_DISTANCE * anatomy.hip_height
    target = xp.stack([reach * xp.cos(yaw), reach * xp.sin(yaw), zero], axis=1)
    memory = Memory(
        step=xp.zeros(n, dtype=xp.int32),
        prev_action=xp.zeros((n, anatomy.nu), dtype=xp.float32),
        origin=xp.zeros((n, 2), dtype=xp.float32),
        target=target,
        push_start=push_start,
        push_velocity=push_velocity,
    )
    return memory, qpos, qvel
