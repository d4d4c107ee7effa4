"""Reward terms of standing, which every stage may use."""

from __future__ import annotations

from mesozoic.species.anatomy import FREE_QPOS
from mesozoic.task.arrays import XP, Array, mean
from mesozoic.task.constants import single
from mesozoic.task.kinematics import mechanical_power
from mesozoic.task.reward_context import RewardContext

ZERO, ONE = single(0.0), single(1.0)
LOADED = single(0.1)
"""Feet that carry less than this share of body weight do not count as standing."""
POSTURE_WIDTH = 0.3
"""Tilt (as the sine of its angle) at which the posture bonus falls to 1/e: about 17 degrees."""
HEADING_WIDTH = single(0.5)
"""Bearing in radians at which the heading bonus falls to 1/e."""
POSE_WIDTH = 0.2
"""Root mean square distance of the joints from home, in radians, at which the pose bonus falls to 1/e."""


def alive(xp: XP, m: RewardContext) -> Array:
    """Upright, at height and with loaded feet."""
    standing = xp.add.reduce(m.kin.foot_load, axis=1) > LOADED
    return (standing & ~m.fallen).astype(xp.float32)


def posture(xp: XP, m: RewardContext) -> Array:
    """Torso level as at home."""
    gx, gy = m.kin.gravity[:, 0], m.kin.gravity[:, 1]
    return xp.exp(-(gx * gx + gy * gy) / single(POSTURE_WIDTH**2))


def pose(xp: XP, m: RewardContext) -> Array:
    """Joints as at home."""
    error = m.sensed.qpos[:, FREE_QPOS:] - m.anatomy.home_qpos[None, FREE_QPOS:]
    return xp.exp(-mean(xp, error * error) / single(POSE_WIDTH**2))


def nosedive(xp: XP, m: RewardContext) -> Array:
    """Pitching forward beyond home."""
    return -xp.maximum(m.kin.gravity[:, 0], ZERO)


def heading(xp: XP, m: RewardContext) -> Array:
    """Facing the target, with a slope that does not fade close to it: flat cosines let animals drift."""
    bearing = xp.abs(xp.arctan2(m.kin.target_dir[:, 1], m.kin.target_dir[:, 0]))
    return xp.exp(-bearing / HEADING_WIDTH)


def drift_penalty(xp: XP, m: RewardContext) -> Array:
    """Distance from where the episode began."""
    return -xp.minimum(m.kin.displacement, ONE)


def speed_penalty(xp: XP, m: RewardContext) -> Array:
    """Horizontal speed squared."""
    return -xp.minimum(m.kin.ground_speed**2, ONE)


def spin_penalty(xp: XP, m: RewardContext) -> Array:
    """Yaw rate squared."""
    return -xp.minimum(m.kin.yaw_rate**2, ONE)


def smoothness(xp: XP, m: RewardContext) -> Array:
    """Mean squared change of the action."""
    change = m.after.prev_action - m.before.prev_action
    return -mean(xp, change * change)


def energy_penalty(xp: XP, m: RewardContext) -> Array:
    """Mechanical power, not squared action."""
    power = mechanical_power(xp, m.anatomy, m.sensed)
    return -xp.minimum(power / single(m.anatomy.weight * m.anatomy.speed_unit), ONE)
