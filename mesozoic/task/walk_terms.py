"""Reward terms of locomotion. Standing still earns nothing from any of them, hopping loses."""

from __future__ import annotations

from mesozoic.task.arrays import XP, Array
from mesozoic.task.constants import single
from mesozoic.task.gait_clock import GRACE, commanded_speed, swing_height, wrong_contact
from mesozoic.task.reward_context import RewardContext

ZERO, ONE, MINUS_ONE = single(0.0), single(1.0), single(-1.0)
CONTACT = 0.03
"""A foot that carries less than this share of body weight is in the air."""
LEAST = single(CONTACT)
OUT_OF_TIME = 0.2
"""Share of the speed reward for feet that do not follow the gait clock at all."""
TINY = 1e-6


def forward_vel(xp: XP, m: RewardContext) -> Array:
    """Speed towards the target: 0 at rest, 1 at the commanded speed, falling as fast beyond it.

    Linear, because a narrow kernel has no slope at rest and teaches stepping in place. Where there is a
    gait clock, most of it is paid only as far as the feet keep time, or fast tapping is learned first.
    """
    command = commanded_speed(xp, m.env, m.before)
    error = xp.abs(m.kin.approach_speed - command) / xp.maximum(command, single(TINY))
    keeps_time = (
        ONE
        if m.env.gait_frequency == 0.0
        else single(OUT_OF_TIME) + single(1.0 - OUT_OF_TIME) * xp.maximum(gait(xp, m), ZERO)
    )
    return xp.where(command > ZERO, xp.maximum(ONE - error, MINUS_ONE) * keeps_time, ZERO)


def lateral_penalty(xp: XP, m: RewardContext) -> Array:
    """Sideways speed of the torso."""
    return -xp.minimum(xp.abs(m.kin.lin_vel[:, 1]), ONE)


def gait(xp: XP, m: RewardContext) -> Array:
    """Feet on the floor when the gait clock says so and only then: 1 if all are, about 0 for a statue.

    Two feet must not stand for more than about 0.63 of the stride for that: with so little swing to
    miss, a statue would have to lose more than 1 at once.
    """
    if m.env.gait_frequency == 0.0:
        return xp.zeros_like(m.kin.height)
    wrong = wrong_contact(xp, m.env, m.after.phase, m.kin.foot_load > LEAST)
    missed_by_statue = max(1.0 - m.env.gait_duty - 2.0 * GRACE, TINY)
    return xp.maximum(ONE - wrong / single(missed_by_statue), MINUS_ONE)


def clearance(xp: XP, m: RewardContext) -> Array:
    """Lifting the swinging feet as high as the clock asks, more earns no more."""
    if m.env.gait_frequency == 0.0:
        return xp.zeros_like(m.kin.height)
    wanted = swing_height(xp, m.env, m.after.phase)
    lifted = xp.clip(m.kin.foot_lift, ZERO, wanted)
    return xp.add.reduce(lifted, axis=1) / xp.maximum(
        xp.add.reduce(wanted, axis=1), single(m.env.clearance_height * SWINGING)
    )


SWINGING = 0.3
"""Of the clearance height; where the feet should lift less than this together, the bonus fades out."""


def slip_penalty(xp: XP, m: RewardContext) -> Array:
    """Speed at which the feet slide over the floor, mean weighted by their loads, in units of sqrt(g*h), at most 1."""
    moved = m.sensed.foot_pos[:, :, :2] - m.before.foot_pos[:, :, :2]
    speed = xp.sqrt(xp.add.reduce(moved * moved, axis=2)) / single(m.anatomy.dt * m.anatomy.speed_unit)
    load = xp.where(m.kin.foot_load > LEAST, m.kin.foot_load, ZERO)
    return -xp.minimum(xp.add.reduce(load * speed, axis=1) / xp.maximum(xp.add.reduce(load, axis=1), LEAST), ONE)


def flight_penalty(xp: XP, m: RewardContext) -> Array:
    """No foot on the floor."""
    return -(xp.maximum.reduce(m.kin.foot_load, axis=1) < LEAST).astype(xp.float32)
