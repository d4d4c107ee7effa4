"""What a trial of a sweep is judged by: one number, the higher the better.

`score` does not depend on reward weights, so that a search cannot win by paying more for the same behaviour:

| task | while its gate is not passed: the best evaluation so far of |
| --- | --- |
| balance | 0.75 * share of episodes survived + 0.25 * share of the time limit that an episode lasts |
| locomotion | `eval/score`: share survived * speed * alternation * (1 - flight) |
| behaviour | `eval/score`: 0.75 * success + 0.25 * share of the distance closed |

That is in [0, 1]. Once the gate is passed it is 1 + the share of the budget that was left then, in [1, 2]: of two
settings that solve a stage, the one that needs fewer steps is better. `eval/score` of balance alone would be 0 for all
that cannot stay up to the time limit yet, and nothing to prune by.

`best_mean_reward` is the highest mean return of an evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from mesozoic.config import StageConfig
from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.evaluation.episodes import Summary
from mesozoic.sweep.space import Parameter

Objective = Literal["score", "best_mean_reward"]
OBJECTIVES: tuple[Objective, ...] = ("score", "best_mean_reward")
MOST_SEEDS = 10
"""By which one point is judged."""
ONE_SIDED_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)
"""Quantiles of Student's t for 1, 2, ... degrees of freedom."""
REWARD_GATE = "curriculum.min_avg_reward"
TASK_KEYS = (
    "env.max_episode_steps",
    "env.reset_noise_scale",
    "env.fall_height",
    "env.fall_tilt",
    "env.push_interval",
    "env.push_duration",
    "env.push_velocity_min",
    "env.push_velocity_max",
    "env.friction_range",
    "env.target_froude",
    "env.target_bearing",
    "env.prey_distance_range",
    "env.prey_height_range",
    "env.reach_radius",
    "env.reach_tilt",
    "env.hold_time",
)
"""Keys that say how hard the task is: what is measured under one value says little about another."""


def known_objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        UserError: there is none.
    """
    for one in OBJECTIVES:
        if name == one:
            return one
    near = did_you_mean(name, OBJECTIVES) or f"; give one of {', '.join(OBJECTIVES)}"
    raise UserError(f"unknown objective '{shown(name)}'{near}")


def evaluation_value(objective: Objective, summary: Summary, config: StageConfig) -> float:
    """What one evaluation of a policy is worth before its gate is passed."""
    if objective == "best_mean_reward":
        return summary["avg_reward"]
    if config.env.task != "balance":
        return summary["score"]
    return 0.75 * summary["survival"] + 0.25 * summary["avg_episode_length"] / config.env.max_episode_steps


def solved_value(objective: Objective, best: float, steps: int, budget: int) -> float:
    """What a training is worth that passed its gate after `steps` of its `budget`.

    Args:
        best: of its evaluations.
    """
    return best if objective == "best_mean_reward" else 1.0 + max(0.0, 1.0 - steps / budget)


def lower_bound(values: Sequence[float]) -> float | None:
    """One-sided 95 % bound of the mean over seeds; None of a single one, which says nothing of the spread."""
    if len(values) < 2:
        return None
    return fmean(values) - ONE_SIDED_95[len(values) - 2] * stdev(values) / math.sqrt(len(values))


def weighs_rewards(parameters: Sequence[Parameter]) -> list[str]:
    """Searched keys that change what a reward is worth."""
    ends = ("_weight", "_bonus")
    return [one.path for one in parameters if one.path.startswith("env.") and one.path.endswith(ends)]


def warnings(objective: Objective, parameters: Sequence[Parameter]) -> list[str]:
    """What somebody should know who searches these by this objective, a sentence each."""
    said = []
    weights = weighs_rewards(parameters)
    if objective == "best_mean_reward" and weights:
        said.append(
            f"best_mean_reward depends on {', '.join(weights)}, which are searched: a larger bonus is a larger reward"
            " for the same behaviour; --objective score does not depend on them"
        )
    tasks = [one.path for one in parameters if one.path in TASK_KEYS]
    if tasks:
        said.append(
            f"{', '.join(tasks)} say how hard the task is, and are searched: the easiest task may win; compare the"
            " winner with 'mesozoic eval' under one setting"
        )
    return said


def fixed_overrides(objective: Objective, parameters: Sequence[Parameter]) -> list[str]:
    """What every trial gets, so that its gate does not depend on reward weights that are searched."""
    if objective != "score" or not weighs_rewards(parameters):
        return []
    return [f"{REWARD_GATE}=-1e9"]
