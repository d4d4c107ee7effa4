"""An evaluation of a policy as users ask for it: its stage, its episodes, its baselines and its gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.config import StageConfig
from mesozoic.curricula.gate import Gate, Verdict, gate_problems
from mesozoic.errors import Problems, UserError
from mesozoic.evaluation.episodes import Episodes, Summary, baselines, run_episodes
from mesozoic.learn.policy import Policy
from mesozoic.rendering.recording import PoseRecorder
from mesozoic.run.policy_source import open_policy
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

MOST_EPISODES = 65536
MOST_RECORDED = 4096
"""Episodes whose poses fit into memory: 100 kB each."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a policy did on unseen episodes.

    Attributes:
        figures: of `policy`, `statue`, `random`, ...: means and 95 % bounds by name.
        verdict: what the gate says of the policy; None where so few episodes cannot pass it: `not_judged` says why.
        episodes: everything about each episode.
    """

    species: Species
    stage: int
    seed: int
    policy: Policy
    config: StageConfig
    figures: dict[str, Summary]
    verdict: Verdict | None
    not_judged: str
    episodes: Episodes

    @property
    def passed(self) -> bool | None:
        """Whether the gate passes; None if it cannot be said."""
        return None if self.verdict is None else self.verdict.passed

    def to_json(self) -> dict[str, Any]:
        """Plain values; figures that do not exist are None, because JSON has no NaN."""
        facts = {"species": self.species.name, "stage": self.stage, "seed": self.seed, "stage_passed": self.passed}
        gate = None if self.verdict is None else self.verdict.to_json()
        plain: dict[str, Any] = without_nan({**facts, "gate": gate, **self.figures})
        return plain


def evaluate_policy(
    source: Path,
    stage: int | None = None,
    species: str | None = None,
    episodes: int | None = None,
    seed: int = 0,
    overrides: Sequence[str] = (),
    must_judge: bool = False,
    must_walk: bool = False,
    poses: PoseRecorder | None = None,
) -> Evaluation:
    """Evaluate what `source` means on unseen episodes, beside the baselines.

    Args:
        must_judge: refuse fewer episodes than the gate can be judged by; must_walk: refuse a stage without locomotion.
        poses: records every episode of the policy.

    Raises:
        UserError: no such policy, it does not fit, or a value is out of range.
    """
    policy, animal, config = open_policy(source, species, overrides, stage)
    if seed < 0:
        raise UserError(f"seed {seed} is out of range; give 0 or more")
    if episodes is not None:
        if not 1 <= episodes <= MOST_EPISODES:
            raise UserError(f"episodes = {episodes} is out of range; give a number from 1 to {MOST_EPISODES}")
        plan = config.curriculum.model_copy(update={"eval_episodes": episodes})
        config = config.model_copy(update={"curriculum": plan})
    if poses is not None and config.curriculum.eval_episodes > MOST_RECORDED:
        raise UserError(
            f"{config.curriculum.eval_episodes} episodes are too many to be recorded; give at most {MOST_RECORDED}"
            " --episodes"
        )
    if must_walk and config.env.task == "balance":
        raise UserError(
            f"stage {policy.stage} of {animal.name} has no locomotion to measure; leave out --gait and --footfalls"
        )
    too_few = [
        one.replace("raise curriculum.eval_episodes", "give more --episodes")
        for one in gate_problems(config.curriculum)
    ]
    if must_judge and too_few:
        raise Problems(too_few)
    run = run_episodes(policy.act, animal, config, seed, Stream.EVAL, poses=poses)
    figures = {"policy": run.summary()} | baselines(animal, config, seed, Stream.EVAL)
    verdict = None if too_few else Gate(config.curriculum, figures).judge(figures["policy"])
    return Evaluation(animal, policy.stage, seed, policy, config, figures, verdict, "; ".join(too_few), run)


def without_nan(value: Any) -> Any:
    """Figures that do not exist as None: JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
