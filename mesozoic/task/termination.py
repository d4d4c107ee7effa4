"""When an episode ends because it failed, and why."""

from __future__ import annotations

import math

from mesozoic.config import EnvSection
from mesozoic.task.arrays import Array, Kinematics
from mesozoic.task.kinematics import tilt_cosine

REASONS = ("low", "tilted", "diverged")
"""Fallen below the height limit, tilted beyond the limit, physics broke down."""


def end_reasons(env: EnvSection, kin: Kinematics, diverged: Array) -> dict[str, Array]:
    """Reason -> [n] bool; several may hold at once, `diverged` stands alone."""
    low = kin.height < env.fall_height
    tilted = tilt_cosine(kin) < math.cos(math.radians(env.fall_tilt))
    return {"low": low & ~diverged, "tilted": tilted & ~diverged, "diverged": diverged}
