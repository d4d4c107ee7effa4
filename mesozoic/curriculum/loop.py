"""The loop of one stage: learn, evaluate, judge, record, until the gate passes or the budget ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from mesozoic.config import CurriculumSection
from mesozoic.curriculum.gate import Gate, Verdict
from mesozoic.evaluate.episodes import Summary
from mesozoic.learn.learner import Learner
from mesozoic.learn.policy import Policy


class Recorder(Protocol):
    """What the loop tells the run it is part of."""

    def phase(self, name: str) -> None:
        """What happens next: compiling, training, evaluating, saving."""

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        """Some training was done."""

    def evaluated(self, step: int, summary: Summary, verdict: Verdict, consecutive: int) -> None:
        """The current policy was evaluated and judged."""

    def best(self, policy: Policy) -> None:
        """The current policy has the best score so far."""

    def checkpoint(self, step: int, progress: dict[str, Any]) -> None:
        """Save everything; `progress` is the loop's own part."""

    def interrupted(self) -> bool:
        """Whether someone asked the run to stop."""


@dataclass
class Progress:
    """Where the loop stands; JSON.

    Attributes:
        next_eval, next_save: environment steps at which these are due.
        consecutive: passing evaluations in a row, up to now.
        best_score, best_step: of the best evaluation; ties go to the later one.
        best_mean_reward, best_mean_episode_length: maxima over all evaluations.
        passed: the gate has passed; finished: the stage is over.
        summary, verdict: the last evaluation and what the gate said of it.
    """

    next_eval: int
    next_save: int
    consecutive: int = 0
    evaluations: int = 0
    best_score: float = -1.0
    best_step: int = 0
    best_mean_reward: float | None = None
    best_mean_episode_length: float | None = None
    passed: bool = False
    finished: bool = False
    summary: Summary = field(default_factory=dict)
    verdict: list[dict[str, Any]] = field(default_factory=list)


class StageLoop:
    """Runs one stage.

    Args:
        evaluate: figures of a policy on the gate's episodes.
        progress: from a checkpoint, to go on where that was saved.
    """

    def __init__(
        self,
        learner: Learner,
        evaluate: Callable[[Policy], Summary],
        gate: Gate,
        plan: CurriculumSection,
        recorder: Recorder,
        progress: Progress | None = None,
    ) -> None:
        self._learner, self._evaluate, self._gate = learner, evaluate, gate
        self._plan, self._recorder = plan, recorder
        self.progress = progress or Progress(next_eval=plan.eval_freq, next_save=plan.save_freq)

    def run(self) -> bool:
        """Go on until the gate passes, the budget ends or the run is interrupted.

        Returns:
            Whether the stage is finished; False means interrupted, with a checkpoint written.
        """
        at = self.progress
        self._recorder.phase("compiling")
        while not at.finished:
            metrics = self._learner.learn()
            step = self._learner.step
            self._recorder.trained(step, metrics)
            exhausted = step >= self._plan.timesteps
            if step >= at.next_eval or exhausted:
                self._judge(step)
            at.finished = at.passed or exhausted
            stop = self._recorder.interrupted()
            if step >= at.next_save or at.finished or stop:
                at.next_save = max(at.next_save, _next_multiple(step, self._plan.save_freq))
                self._recorder.phase("saving")
                self._recorder.checkpoint(step, asdict(at))
            if stop and not at.finished:
                return False
            self._recorder.phase("training")
        return True

    def _judge(self, step: int) -> None:
        at = self.progress
        self._recorder.phase("evaluating")
        policy = self._learner.policy()
        summary = self._evaluate(policy)
        verdict = self._gate.judge(summary)
        at.next_eval = _next_multiple(step, self._plan.eval_freq)
        at.evaluations += 1
        at.consecutive = at.consecutive + 1 if verdict.passed else 0
        at.passed = at.consecutive >= self._plan.required_consecutive
        at.summary, at.verdict = dict(summary), verdict.to_json()
        at.best_mean_reward = _larger(at.best_mean_reward, summary["avg_reward"])
        at.best_mean_episode_length = _larger(at.best_mean_episode_length, summary["avg_episode_length"])
        if summary["score"] >= at.best_score:
            at.best_score, at.best_step = summary["score"], step
            self._recorder.best(policy)
        self._recorder.evaluated(step, summary, verdict, at.consecutive)


def _next_multiple(step: int, every: int) -> int:
    return (step // every + 1) * every


def _larger(old: float | None, new: float) -> float:
    return new if old is None else max(old, new)
