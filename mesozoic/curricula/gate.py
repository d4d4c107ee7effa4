"""The gate: says whether an evaluation solves the stage, criterion by criterion, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mesozoic.config import CurriculumSection
from mesozoic.evaluation.episodes import Summary
from mesozoic.evaluation.wilson import wilson

BASELINES = ("statue", "random")
"""Those of `evaluation.episodes.baselines` that face what the policy faces: the zero action and random actions."""


@dataclass(frozen=True)
class Criterion:
    """One figure of an evaluation against its threshold; it must exceed the threshold, or with
    `or_equal` reach it."""

    name: str
    value: float
    threshold: float
    or_equal: bool = False

    @property
    def passed(self) -> bool:
        return self.value >= self.threshold if self.or_equal else self.value > self.threshold

    def __str__(self) -> str:
        sign = {(True, True): ">=", (True, False): ">", (False, True): "<", (False, False): "<="}
        return f"{self.name} {self.value:.4g} {sign[self.passed, self.or_equal]} {self.threshold:.4g}"


@dataclass(frozen=True)
class Verdict:
    """All criteria of one evaluation."""

    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        return all(criterion.passed for criterion in self.criteria)

    def failures(self) -> list[str]:
        """One phrase for every criterion that is not met."""
        return [str(criterion) for criterion in self.criteria if not criterion.passed]

    def to_json(self) -> list[dict[str, Any]]:
        return [{**asdict(criterion), "passed": criterion.passed} for criterion in self.criteria]


class Gate:
    """The criteria of a stage's `[curriculum]` section.

    Those of success hold for every stage: the policy must do its task in enough episodes, and more often than the
    better of the baselines, with the lower bound of the one above the upper bound of the other. No stage is passed
    by standing still, nor by twitching. Where the animal walks, it must not be airborne for more than `max_flight`
    of the time: no stage is passed by hopping.

    Args:
        baselines: summaries by name, with at least one of `BASELINES`.
    """

    def __init__(self, plan: CurriculumSection, baselines: Mapping[str, Summary]) -> None:
        self._plan = plan
        there = [name for name in BASELINES if name in baselines]
        self._rival = max(there, key=lambda name: baselines[name]["success_high"])
        self._rival_high = baselines[self._rival]["success_high"]

    def judge(self, summary: Summary) -> Verdict:
        """Hold an evaluation against every criterion."""
        plan = self._plan
        criteria = [
            Criterion("success", summary["success"], plan.min_success, or_equal=True),
            Criterion("success_low", summary["success_low"], plan.min_success_low, or_equal=True),
            Criterion(f"success_low over {self._rival}", summary["success_low"], self._rival_high),
            Criterion("survival_low", summary["survival_low"], plan.min_survival, or_equal=True),
            Criterion("avg_reward", summary["avg_reward"], plan.min_avg_reward),
            Criterion("avg_episode_length", summary["avg_episode_length"], plan.min_avg_episode_length),
        ]
        if "gait/flight" in summary:
            grounded, limit = 1.0 - summary["gait/flight"], 1.0 - plan.max_flight
            criteria.append(Criterion("share of time on the floor", grounded, limit, or_equal=True))
        return Verdict(tuple(criteria))


def gate_problems(plan: CurriculumSection) -> list[str]:
    """A sentence for each bound that a perfect evaluation could not reach: too few episodes for it."""
    best, _ = wilson(plan.eval_episodes, plan.eval_episodes)
    return [
        f"curriculum.{key} = {getattr(plan, key)} cannot be reached with {plan.eval_episodes} episodes:"
        f" all of them have the lower bound {best:.3f}; raise curriculum.eval_episodes"
        for key in ("min_success_low", "min_survival")
        if getattr(plan, key) > best
    ]
