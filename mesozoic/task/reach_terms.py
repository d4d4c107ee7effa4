"""Reward terms of striking, biting and reaching for food."""

from __future__ import annotations

from mesozoic.task.arrays import XP, Array
from mesozoic.task.constants import single, whole
from mesozoic.task.reward_context import RewardContext

FASTEST, ZERO, ONE, HALF = single(5.0), single(0.0), single(1.0), single(0.5)
"""Speed units; no claw or head draws back faster, except in a world whose physics broke down."""


def approach(xp: XP, m: RewardContext) -> Array:
    """Distance closed between the strike site and the target, as a speed, of which at most 1 is paid.

    It sums up to the way there and no more, so that neither hovering by the prey nor going back and forth
    earns anything: what is limited is the gain, not the loss of any animal that moves."""
    closed = (m.before.gap - m.after.gap) * single(m.anatomy.time_unit / m.anatomy.dt)
    return xp.where(m.before.struck < whole(0), xp.minimum(xp.maximum(closed, -FASTEST), ONE), ZERO)


def proximity(xp: XP, m: RewardContext) -> Array:
    """Being near the target. Off in the shipped stages: it pays for hovering."""
    return xp.exp(-m.kin.gap)


def task(xp: XP, m: RewardContext) -> Array:
    """Half of the bonus for reaching the target, half for still standing a moment later."""
    return HALF * (m.hit.astype(xp.float32) + m.succeeded.astype(xp.float32))
