"""The loop of one stage: learn, evaluate, judge, record, until the gate passes or the budget ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from mesozoic.config import CurriculumSection
from mesozoic.curricula.gate import Gate, Verdict
from mesozoic.evaluation.episodes import Summary
from mesozoic.learn.learner import Diverged, Learner, Metrics, State
from mesozoic.learn.policy import Policy


@dataclass(frozen=True)
class Stop:
    """Why a run stops before its end: by a `signal`, because its time is over, or because it is not worth more.

    Attributes:
        why: for people; signal: its number, if this process got it.
    """

    reason: Literal["signal", "time over", "pruned"]
    why: str = ""
    signal: int | None = None


class Recorder(Protocol):
    """What the loop tells the run it is part of."""

    def phase(self, name: str) -> None:
        """What happens next: compiling, training, evaluating, certifying, saving."""

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        """Some training was done."""

    def evaluated(self, step: int, summary: Summary, verdict: Verdict, consecutive: int) -> None:
        """The current policy was evaluated and judged."""

    def certified(self, step: int, summary: Summary, verdict: Verdict) -> None:
        """A policy that passed its gate was judged again, on episodes that no gate has seen."""

    def best(self, policy: Policy) -> None:
        """The current policy has the best score so far."""

    def checkpoint(self, step: int, policy: Policy) -> None:
        """Save everything, of which `policy` is the current one."""

    def stop(self) -> Stop | None:
        """Whether the run is to stop, and why."""


@dataclass
class Progress:
    """Where the loop stands; JSON.

    Attributes:
        next_eval, next_save: environment steps at which these are due.
        consecutive: passing evaluations in a row, up to now.
        best_score, best_step: of the best evaluation; of equals the first stays.
        best_mean_reward, best_mean_episode_length: maxima over all evaluations.
        passed: the gate has passed and the policy was certified; finished: the stage is over.
        summary, verdict: the last evaluation and what the gate said of it.
        certifications: each with its step, whether it passed, its evaluation and what the gate said of it.
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
    certifications: list[dict[str, Any]] = field(default_factory=list)


class StageLoop:
    """Runs one stage.

    Args:
        evaluate: figures of a policy on the gate's episodes, the same ones every time.
        certify: figures of a policy on episodes that nothing has seen, others for each number 0, 1, 2, ...
    """

    def __init__(
        self,
        learner: Learner,
        evaluate: Callable[[Policy], Summary],
        certify: Callable[[Policy, int], Summary],
        gate: Gate,
        plan: CurriculumSection,
        recorder: Recorder,
    ) -> None:
        self._learner, self._evaluate, self._certify, self._gate = learner, evaluate, certify, gate
        self._plan, self._recorder = plan, recorder
        self._learning_rate = math.nan
        self.progress = Progress(next_eval=plan.eval_freq, next_save=plan.save_freq)

    def state(self) -> State:
        return asdict(self.progress)

    def set_state(self, state: State) -> None:
        """Go on where `state` was saved; since then the budget may have grown, and how often is saved changed."""
        self.progress = Progress(**state)
        self.progress.finished = self.progress.passed or self._learner.step >= self._plan.timesteps
        self.progress.next_save = _next_multiple(self._learner.step, self._plan.save_freq)

    def run(self) -> Stop | None:
        """Go on until the gate passes, the budget ends or the run is asked to stop.

        Returns:
            None if the stage is finished, else why it stopped; a checkpoint was written.

        Raises:
            Diverged: the training is not finite any more; the newest checkpoint is of a finite state.
        """
        at = self.progress
        self._recorder.phase("compiling")
        while not at.finished:
            metrics = self._learn()
            step = self._learner.step
            self._recorder.trained(step, metrics)
            exhausted = step >= self._plan.timesteps
            if step >= at.next_eval or exhausted:
                self._judge(step)
            at.finished = at.passed or exhausted
            stop = self._recorder.stop()
            if step >= at.next_save or at.finished or stop:
                self._save(step)
            if stop and not at.finished:
                return stop
            self._recorder.phase("training")
        return None

    def _learn(self) -> Metrics:
        try:
            metrics = self._learner.learn()
            self._learning_rate = metrics.get("train/learning_rate", math.nan)
            return metrics
        except Diverged:
            if _is_finite(self._learner.state()):  # else what it ran into is in there, and the last one saved is sound
                self._save(self._learner.step)
            raise

    def _save(self, step: int) -> None:
        """Save a checkpoint.

        Raises:
            Diverged: the policy is not finite; nothing was written.
        """
        policy = self._finite_policy(step)
        self.progress.next_save = max(self.progress.next_save, _next_multiple(step, self._plan.save_freq))
        self._recorder.phase("saving")
        self._recorder.checkpoint(step, policy)

    def _finite_policy(self, step: int) -> Policy:
        """The policy, which must never be judged, saved or handed on if a number in it is none.

        Raises:
            Diverged: it is not finite.
        """
        policy = self._learner.policy()
        if not policy.finite:
            raise Diverged(step, self._learning_rate, "the policy")
        return policy

    def _judge(self, step: int) -> None:
        at = self.progress
        self._recorder.phase("evaluating")
        policy = self._finite_policy(step)
        summary = self._evaluate(policy)
        verdict = self._gate.judge(summary)
        at.next_eval = _next_multiple(step, self._plan.eval_freq)
        at.evaluations += 1
        at.consecutive = at.consecutive + 1 if verdict.passed else 0
        at.summary, at.verdict = dict(summary), verdict.to_json()
        at.best_mean_reward = _larger(at.best_mean_reward, summary["avg_reward"])
        at.best_mean_episode_length = _larger(at.best_mean_episode_length, summary["avg_episode_length"])
        if summary["score"] > at.best_score and math.isfinite(summary["score"]):
            at.best_score, at.best_step = summary["score"], step
            self._recorder.best(policy)
        self._recorder.evaluated(step, summary, verdict, at.consecutive)
        if at.consecutive >= self._plan.required_consecutive:
            self._certify_now(step, policy)

    def _certify_now(self, step: int, policy: Policy) -> None:
        """Judge the policy once more on fresh episodes. It has passed if they agree; else the count begins again."""
        at = self.progress
        self._recorder.phase("certifying")
        summary = self._certify(policy, len(at.certifications))
        verdict = self._gate.judge(summary)
        at.passed = verdict.passed
        at.consecutive = at.consecutive if verdict.passed else 0
        at.certifications.append(
            {"step": step, "passed": verdict.passed, "evaluation": dict(summary), "gate": verdict.to_json()}
        )
        self._recorder.certified(step, summary, verdict)


def _is_finite(state: Any) -> bool:
    """Whether all numbers in nested dictionaries of arrays are some."""
    if isinstance(state, dict):
        return all(_is_finite(inner) for inner in state.values())
    return not isinstance(state, np.ndarray) or state.dtype.kind != "f" or bool(np.isfinite(state).all())


def _next_multiple(step: int, every: int) -> int:
    return (step // every + 1) * every


def _larger(old: float | None, new: float) -> float:
    return new if old is None or new > old else old
