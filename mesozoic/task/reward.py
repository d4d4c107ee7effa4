"""The reward: a table of terms. A term, its weight in the stage file and its metric share a name.

The term `posture` has the weight `env.posture_weight` and the metric `reward/posture`. A term is a
pure function of the reward context, `[n]`; bonuses lie in [0, 1], penalties are negative or zero, and the
terms of `SIGNED` are at most 1 and about 0 for an animal that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import EnvSection
from mesozoic.task import balance_terms as balance
from mesozoic.task import reach_terms as reach
from mesozoic.task import walk_terms as walk
from mesozoic.task.arrays import XP, Array
from mesozoic.task.constants import once, single
from mesozoic.task.reward_context import RewardContext

TERMS: dict[str, Callable[[XP, RewardContext], Array]] = {
    "alive": balance.alive,
    "posture": balance.posture,
    "pose": balance.pose,
    "nosedive": balance.nosedive,
    "heading": balance.heading,
    "drift_penalty": balance.drift_penalty,
    "speed_penalty": balance.speed_penalty,
    "spin_penalty": balance.spin_penalty,
    "smoothness": balance.smoothness,
    "energy_penalty": balance.energy_penalty,
    "forward_vel": walk.forward_vel,
    "lateral_penalty": walk.lateral_penalty,
    "gait": walk.gait,
    "clearance": walk.clearance,
    "slip_penalty": walk.slip_penalty,
    "flight_penalty": walk.flight_penalty,
    "approach": reach.approach,
    "proximity": reach.proximity,
    "task": reach.task,
}

RAMPED = ("forward_vel", "gait", "clearance", "approach", "proximity", "task")
"""What a stage asks for beyond standing; `ramp_timesteps` lets it grow in."""
SIGNED = ("forward_vel", "gait", "approach")
BONUS_KEYS = {"alive": "alive_bonus", "task": "task_bonus"}


def weight_key(term: str) -> str:
    """The key of a term's weight in `[env]`."""
    return BONUS_KEYS.get(term, f"{term}_weight")


@once
def active_terms(env: EnvSection) -> dict[str, float]:
    """Terms whose weight is not zero, and the weight. Others are not computed."""
    weights = {term: float(getattr(env, weight_key(term))) for term in TERMS}
    return {term: weight for term, weight in weights.items() if weight != 0.0}


def rewards(xp: XP, env: EnvSection, context: RewardContext, ramp: Array | float = 1.0) -> dict[str, Array]:
    """Weighted terms, name -> [n] float32; those of `RAMPED` count by `ramp`, a number or a float32 scalar."""
    share = xp.asarray(ramp, dtype=xp.float32)
    weighted = {}
    for term, weight in _float32_weights(env).items():
        value = weight * TERMS[term](xp, context)
        weighted[term] = value * share if term in RAMPED else value
    return weighted


@once
def _float32_weights(env: EnvSection) -> dict[str, NDArray[np.float32]]:
    return {term: single(weight) for term, weight in active_terms(env).items()}
