"""The gate: says whether an evaluation solves the stage, criterion by criterion, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mesozoic.config import CurriculumSection
from mesozoic.errors import UserError
from mesozoic.evaluate.episodes import Summary
from mesozoic.evaluate.wilson import wilson


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

    The last criterion holds for every stage: the policy must do better than the statue, with the
    lower bound of the one above the upper bound of the other. No stage is passed by standing still.
    """

    def __init__(self, plan: CurriculumSection, statue: Summary) -> None:
        self._plan, self._statue = plan, statue

    def judge(self, summary: Summary) -> Verdict:
        """Hold an evaluation against every criterion."""
        plan = self._plan
        return Verdict(
            (
                Criterion("survival_low", summary["survival_low"], plan.min_survival, or_equal=True),
                Criterion("avg_reward", summary["avg_reward"], plan.min_avg_reward),
                Criterion("avg_episode_length", summary["avg_episode_length"], plan.min_avg_episode_length),
                Criterion("survival_low over statue", summary["survival_low"], self._statue["survival_high"]),
            )
        )


def check_gate(plan: CurriculumSection) -> None:
    """Refuse a gate that a perfect evaluation could not pass.

    Raises:
        UserError: too few episodes for the demanded lower bound.
    """
    best, _ = wilson(plan.eval_episodes, plan.eval_episodes)
    if plan.min_survival > best:
        raise UserError(
            f"curriculum.min_survival = {plan.min_survival} cannot be reached with {plan.eval_episodes} episodes:"
            f" all of them surviving has the lower bound {best:.3f}; raise curriculum.eval_episodes"
        )
