"""From an action to servo targets: a residual around the home pose, so that zero means standing."""

from __future__ import annotations

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array
from mesozoic.task.constants import single


def clip_action(xp: XP, action: Array) -> Array:
    """Clip to [-1, 1], [n, nu]."""
    return xp.minimum(xp.maximum(action, single(-1.0)), single(1.0))


def servo_targets(xp: XP, anatomy: Anatomy, action: Array) -> Array:
    """Servo targets in radians for actions in [-1, 1], [n, nu]."""
    targets = anatomy.home_ctrl[None] + anatomy.action_scale[None] * clip_action(xp, action)
    return xp.minimum(xp.maximum(targets, anatomy.ctrl_low[None]), anatomy.ctrl_high[None])
