"""When an episode ends because it failed, and why."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.task.arrays import XP, Array, Kinematics, nowhere
from mesozoic.task.constants import once, single
from mesozoic.task.kinematics import tilt_cosine

REASONS = ("low", "tilted", "touched", "diverged")
"""Below the height limit, tilted beyond the limit, on the floor with more than the feet, physics broke down."""


def end_reasons(xp: XP, env: EnvSection, kin: Kinematics, diverged: Array) -> dict[str, Array]:
    """Reason -> [n] bool; several may hold at once, `diverged` stands alone."""
    low = kin.height < single(env.fall_height)
    tilted = tilt_cosine(kin) < _lowest_cosine(env)
    touched = kin.clearance < single(0.0)
    seen = {"low": low, "tilted": tilted, "touched": touched}
    if nowhere(xp, diverged):
        return {**seen, "diverged": diverged}
    return {**{name: mask & ~diverged for name, mask in seen.items()}, "diverged": diverged}


@once
def _lowest_cosine(env: EnvSection) -> Array:
    return single(math.cos(math.radians(env.fall_tilt)))
