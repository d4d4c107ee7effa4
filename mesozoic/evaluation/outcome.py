"""Success and score: the one place that says when an episode did its task, and how well.

No reward weight enters either, so that neither can be won by changing weights.

| task | an episode succeeds if | score, the mean over episodes of |
| --- | --- | --- |
| balance | it survives to its time limit | success |
| locomotion | it survives, on speed, straight, alternating, striding, grounded, without skating | \
share survived * speed * alternation * (1 - flight) |
| behaviour | a strike site reaches the target and the animal still stands a moment later | \
0.75 * success + 0.25 * share of the distance closed |

The score's `speed` is 1 on the commanded speed and 0 at rest or at twice that speed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.evaluation.gait import Gait

Bools = NDArray[np.bool_]
Values = NDArray[np.float64]


def walk_criteria(config: StageConfig, gait: Gait) -> dict[str, Bools]:
    """Criterion of a good walk -> [m] bool, whether each episode meets it."""
    plan, speed = config.curriculum, math.sqrt(config.env.target_froude)
    return {
        "on_speed": np.abs(gait.speed / speed - 1.0) <= plan.speed_tolerance,
        "straight": gait.drift <= plan.max_drift,
        "alternating": gait.alternation >= plan.min_alternation,
        "striding": gait.stride_length >= plan.min_stride_length,
        "grounded": gait.flight <= plan.max_flight,
        "planted": gait.slip <= plan.max_slip * speed,
    }


def walk_score(config: StageConfig, gait: Gait, share_survived: Values) -> Values:
    """Score of each episode of locomotion, [m] in [0, 1]."""
    speed = math.sqrt(config.env.target_froude)
    on_speed = np.maximum(0.0, 1.0 - np.abs(gait.speed / speed - 1.0))
    return share_survived * on_speed * gait.alternation * (1.0 - np.nan_to_num(gait.flight, nan=1.0))


def reach_score(reached: Bools, closed: Values) -> Values:
    """Score of each episode of behaviour, [m] in [0, 1], from the share of the distance closed [m]."""
    return 0.75 * reached + 0.25 * np.clip(closed, 0.0, 1.0)
