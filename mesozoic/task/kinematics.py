"""Egocentric view of the torso: the world's own yaw and position never enter an observation."""

from __future__ import annotations

import numpy as np

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Kinematics, Sensed, TaskState, columns, nowhere
from mesozoic.task.constants import single

ONE, TWO, TINY = single(1.0), single(2.0), single(1e-6)
AHEAD = np.array([1.0, 0.0], dtype=np.float32)
NEAR = single(2.0)
"""Hip heights; a target farther than this is observed by its direction and horizontal distance only."""


def kinematics(xp: XP, anatomy: Anatomy, state: TaskState, sensed: Sensed) -> Kinematics:
    """Compute the torso's kinematics in its own frame.

    A MuJoCo free joint has `qpos = [x y z | w x y z]` and `qvel = [v in the world frame | angular
    velocity in the body frame]` (MuJoCo documentation, "Floating objects").
    """
    qpos, qvel = sensed.qpos, sensed.qvel
    to_world = _rotation(xp, qpos[:, 3:7])
    r00, r10, up = to_world[:, 0, 0], to_world[:, 1, 0], to_world[:, 2]
    length = single(anatomy.hip_height)
    moving, turning = qvel[:, 0:3] / single(anatomy.speed_unit), qvel[:, 3:6] * single(anatomy.time_unit)
    ahead = state.target - qpos[:, 0:3]
    dx, dy, squares = ahead[:, 0], ahead[:, 1], ahead * ahead
    level = squares[:, 0] + squares[:, 1]
    distance = xp.sqrt(level)
    heading = xp.sqrt(r00 * r00 + r10 * r10)
    scale = xp.maximum(heading * distance, TINY)
    span = xp.sqrt(level + squares[:, 2])
    nearness = xp.minimum(single(1.0 / anatomy.hip_height), NEAR / xp.maximum(span, TINY))
    direction = columns(xp, [(r00 * dx + r10 * dy) / scale, (r00 * dy - r10 * dx) / scale])
    reach = sensed.site_pos - state.target[:, None, :]
    return Kinematics(
        gravity=-up,
        lin_vel=_in_torso(to_world, moving),
        ang_vel=turning,
        yaw_rate=_dot(up, turning),
        height=qpos[:, 2] / anatomy.home_qpos[2:3],
        clearance=sensed.clearance / length,
        ground_speed=_level_length(xp, moving),
        approach_speed=(moving[:, 0] * dx + moving[:, 1] * dy) / xp.maximum(distance, TINY),
        target_dir=direction,
        target_distance=distance / length,
        target_near=_in_torso(to_world, ahead) * nearness[:, None],
        gap=xp.minimum.reduce(xp.sqrt(xp.add.reduce(reach * reach, axis=2)), axis=1) / length,
        displacement=_level_length(xp, qpos[:, 0:2] - state.origin) / length,
        foot_load=sensed.foot_force / single(anatomy.weight),
        foot_lift=(sensed.foot_pos[:, :, 2] - anatomy.foot_height[None]) / length,
    )


def _rotation(xp: XP, quaternion: Array) -> Array:
    """The rotation matrix from torso to world frame, [n, 3, 3]."""
    w, around = quaternion[:, 0:1], xp.concatenate([quaternion[:, 1:4], quaternion[:, 1:3]], axis=1)  # x y z x y
    twice = TWO * around
    squares, turns = around * twice, (w * twice)[:, 2:5]
    products = around[:, 0:3] * twice[:, 1:4]
    more, less = products + turns, products - turns  # of xy and wz, yz and wx, zx and wy
    same = ONE - (squares[:, 1:4] + squares[:, 2:5])
    rows = [(same, 0), (less, 0), (more, 2), (more, 0), (same, 1), (less, 1), (less, 2), (more, 1), (same, 2)]
    return columns(xp, [part[:, i] for part, i in rows]).reshape(-1, 3, 3)


def _in_torso(to_world: Array, vector: Array) -> Array:
    """A vector [n, 3] of the world frame in the torso's own."""
    parts = to_world * vector[:, :, None]
    return parts[:, 0] + parts[:, 1] + parts[:, 2]


def _level_length(xp: XP, vector: Array) -> Array:
    squares = vector * vector
    return xp.sqrt(squares[:, 0] + squares[:, 1])


def _dot(a: Array, b: Array) -> Array:
    products = a * b
    return products[:, 0] + products[:, 1] + products[:, 2]


def mechanical_power(xp: XP, anatomy: Anatomy, sensed: Sensed) -> Array:
    """Sum of |torque * velocity| over the servos, [n] watts: a parked joint costs nothing, a fighting one does."""
    return xp.add.reduce(xp.abs(sensed.actuator_force * sensed.qvel[:, anatomy.actuator_qvel]), axis=1)


def hide_target(xp: XP, kin: Kinematics, gone: Array) -> Kinematics:
    """The same, with the target straight ahead at distance 0 where it is `gone` [n]."""
    if nowhere(xp, gone):
        return kin
    return kin._replace(
        target_dir=xp.where(gone[:, None], AHEAD, kin.target_dir),
        target_distance=xp.where(gone, 0.0, kin.target_distance),
        target_near=xp.where(gone[:, None], 0.0, kin.target_near),
    )


def tilt_cosine(kin: Kinematics) -> Array:
    """Cosine of the angle between the torso's up axis and the vertical, [n]."""
    return -kin.gravity[:, 2]
