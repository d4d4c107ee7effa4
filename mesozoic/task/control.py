"""From an action to servo targets: a residual around the home pose, so that zero means standing."""

from __future__ import annotations

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array


def clip_action(xp: XP, action: Array) -> Array:
    """Clip to [-1, 1], [n, nu]."""
    return xp.clip(action, -1.0, 1.0)


def servo_targets(xp: XP, anatomy: Anatomy, action: Array) -> Array:
    """Servo targets in radians for actions in [-1, 1], [n, nu]."""
    targets = anatomy.home_ctrl + anatomy.action_scale * clip_action(xp, action)
    return xp.clip(targets, anatomy.ctrl_low, anatomy.ctrl_high)
