"""Egocentric view of the torso: the world's own yaw and position never enter an observation."""

from __future__ import annotations

import numpy as np

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Kinematics, Sensed, TaskState

TINY = 1e-6
AHEAD = np.array([1.0, 0.0], dtype=np.float32)
NEAR = 2.0
"""Hip heights; a target farther than this is observed by its direction and horizontal distance only."""


def kinematics(xp: XP, anatomy: Anatomy, state: TaskState, sensed: Sensed) -> Kinematics:
    """Compute the torso's kinematics in its own frame.

    A MuJoCo free joint has `qpos = [x y z | w x y z]` and `qvel = [v in the world frame | angular
    velocity in the body frame]` (MuJoCo documentation, "Floating objects").
    """
    qpos, qvel = sensed.qpos, sensed.qvel
    w, x, y, z = (qpos[:, i] for i in (3, 4, 5, 6))
    # Rows of the rotation matrix from torso to world frame.
    r00, r01, r02 = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    r10, r11, r12 = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    r20, r21, r22 = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    speed, length = anatomy.speed_unit, anatomy.hip_height
    vx, vy, vz = (qvel[:, i] / speed for i in (0, 1, 2))
    wx, wy, wz = (qvel[:, i] * anatomy.time_unit for i in (3, 4, 5))
    lin_vel = [r00 * vx + r10 * vy + r20 * vz, r01 * vx + r11 * vy + r21 * vz, r02 * vx + r12 * vy + r22 * vz]
    dx, dy = state.target[:, 0] - qpos[:, 0], state.target[:, 1] - qpos[:, 1]
    distance = xp.sqrt(dx * dx + dy * dy)
    ahead = xp.maximum(distance, TINY)
    heading = xp.sqrt(r00 * r00 + r10 * r10)
    scale = xp.maximum(heading * distance, TINY)
    dz = state.target[:, 2] - qpos[:, 2]
    span = xp.sqrt(dx * dx + dy * dy + dz * dz)
    nearness = xp.minimum(1.0 / length, NEAR / xp.maximum(span, TINY))
    near = [r00 * dx + r10 * dy + r20 * dz, r01 * dx + r11 * dy + r21 * dz, r02 * dx + r12 * dy + r22 * dz]
    direction = xp.stack([(r00 * dx + r10 * dy) / scale, (r00 * dy - r10 * dx) / scale], axis=1)
    reach = sensed.site_pos - state.target[:, None, :]
    ox, oy = qpos[:, 0] - state.origin[:, 0], qpos[:, 1] - state.origin[:, 1]
    return Kinematics(
        gravity=xp.stack([-r20, -r21, -r22], axis=1),
        lin_vel=xp.stack(lin_vel, axis=1),
        ang_vel=xp.stack([wx, wy, wz], axis=1),
        yaw_rate=r20 * wx + r21 * wy + r22 * wz,
        height=qpos[:, 2] / anatomy.home_qpos[2],
        clearance=sensed.clearance / length,
        ground_speed=xp.sqrt(vx * vx + vy * vy),
        approach_speed=(vx * dx + vy * dy) / ahead,
        target_dir=direction,
        target_distance=distance / length,
        target_near=xp.stack(near, axis=1) * nearness[:, None],
        gap=xp.min(xp.sqrt(xp.sum(reach * reach, axis=2)), axis=1) / length,
        displacement=xp.sqrt(ox * ox + oy * oy) / length,
        foot_load=sensed.foot_force / anatomy.weight,
        foot_lift=(sensed.foot_pos[:, :, 2] - anatomy.foot_height) / length,
    )


def mechanical_power(xp: XP, anatomy: Anatomy, sensed: Sensed) -> Array:
    """Sum of |torque * velocity| over the servos, [n] watts: a parked joint costs nothing, a fighting one does."""
    return xp.sum(xp.abs(sensed.actuator_force * sensed.qvel[:, anatomy.actuator_qvel]), axis=1)


def hide_target(xp: XP, kin: Kinematics, gone: Array) -> Kinematics:
    """The same, with the target straight ahead at distance 0 where it is `gone` [n]."""
    return kin._replace(
        target_dir=xp.where(gone[:, None], AHEAD, kin.target_dir),
        target_distance=xp.where(gone, 0.0, kin.target_distance),
        target_near=xp.where(gone[:, None], 0.0, kin.target_near),
    )


def tilt_cosine(kin: Kinematics) -> Array:
    """Cosine of the angle between the torso's up axis and the vertical, [n]."""
    return -kin.gravity[:, 2]
