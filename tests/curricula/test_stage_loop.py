"""The loop of a stage with a scripted learner: when it stops, what it keeps, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from mesozoic.config import CurriculumSection
from mesozoic.curricula.gate import Gate, Verdict
from mesozoic.curricula.loop import StageLoop, Stop
from mesozoic.evaluation.episodes import Summary
from mesozoic.evaluation.wilson import wilson
from mesozoic.learn.learner import Diverged, State
from mesozoic.learn.policy import Policy

ROLLOUT = 10
EPISODES = 64
STOP = Stop("signal", signal=15)
Score = Callable[[int], float]


class ScriptedLearner:
    """A `Learner` whose policy is the step it was made at; at one step it may diverge, or be no number."""

    nan_at: int | None = None

    def __init__(self, diverge_at: int | None = None) -> None:
        self.step = 0
        self._diverge_at = diverge_at

    def learn(self) -> Mapping[str, float]:
        if self.step == self._diverge_at:
            raise Diverged(self.step, 1e-3, "the loss")
        self.step += ROLLOUT
        return {"train/loss": 1.0 / self.step}

    def policy(self) -> Policy:
        weights = np.array([np.nan if self.step == self.nan_at else 1.0])
        return Policy("velociraptor", 1, (), "elu", {"actor/0/bias": weights}, {"step": self.step})

    def state(self) -> State:
        return {"step": self.step}

    def set_state(self, state: State) -> None:
        self.step = state["step"]


class Notes:
    """A `Recorder` that writes down what it is told; it asks to stop at step `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self._stop_at = stop_at
        self.step = 0
        self.steps: list[int] = []
        self.phases: list[str] = []
        self.evaluations: list[tuple[int, float, bool, int]] = []
        self.kept: list[int] = []
        self.certifications: list[tuple[int, bool]] = []
        self.saved: list[tuple[int, dict[str, Any]]] = []
        self.loop: StageLoop | None = None

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        assert metrics == {"train/loss": 1.0 / step}
        self.step = step
        self.steps.append(step)

    def evaluated(self, step: int, summary: Summary, verdict: Verdict, consecutive: int) -> None:
        self.evaluations.append((step, summary["score"], verdict.passed, consecutive))

    def best(self, policy: Policy) -> None:
        self.kept.append(policy.info["step"])

    def certified(self, step: int, summary: Summary, verdict: Verdict) -> None:
        self.certifications.append((step, verdict.passed))

    def checkpoint(self, step: int, policy: Policy) -> None:
        assert self.loop is not None
        self.saved.append((step, self.loop.state()))

    def stop(self) -> Stop | None:
        return STOP if self._stop_at is not None and self.step >= self._stop_at else None


def plan(**changes: Any) -> CurriculumSection:
    return CurriculumSection(
        **{"timesteps": 200, "eval_freq": 20, "save_freq": 50, "required_consecutive": 3, "min_success_low": 0.8}
        | changes
    )


def figures(share: float) -> Summary:
    successes = round(share * EPISODES)
    low, high = wilson(successes, EPISODES)
    return {
        "score": successes / EPISODES,
        "success": successes / EPISODES,
        "success_low": low,
        "success_high": high,
        "survival_low": low,
        "avg_reward": 1.0 + share,
        "avg_episode_length": 100.0 * share,
    }


def loop(
    notes: Notes,
    score: Score,
    section: CurriculumSection,
    progress: dict[str, Any] | None = None,
    step: int = 0,
    certify: Callable[[int, int], float] = lambda step, number: 1.0,
    learner: ScriptedLearner | None = None,
) -> StageLoop:
    """`certify(step, number)` is the success on fresh episodes, of the certification with that number."""
    learner = learner or ScriptedLearner()
    learner.set_state({"step": step})
    stage = StageLoop(
        learner,
        lambda policy: figures(score(policy.info["step"])),
        lambda policy, number: figures(certify(policy.info["step"], number)),
        Gate(section, {"statue": figures(0.0)}),
        section,
        notes,
    )
    if progress is not None:
        stage.set_state(progress)
    notes.loop = stage
    return stage


def test_stops_after_enough_passes_in_a_row() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 1.0, plan())
    assert stage.run() is None
    assert [step for step, *_ in notes.evaluations] == [20, 40, 60]
    assert [consecutive for *_, consecutive in notes.evaluations] == [1, 2, 3]
    assert stage.progress.passed
    assert stage.progress.finished
    assert notes.steps[-1] == 60


def test_one_failure_starts_the_count_again() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 0.5 if step == 60 else 1.0, plan())
    assert stage.run() is None
    assert [consecutive for *_, consecutive in notes.evaluations] == [1, 2, 0, 1, 2, 3]
    assert notes.evaluations[2][2] is False
    assert stage.progress.passed


def test_stops_at_the_budget_without_passing() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 0.5, plan())
    assert stage.run() is None
    assert notes.steps[-1] == 200
    assert not stage.progress.passed
    assert stage.progress.finished
    assert any(not criterion["passed"] for criterion in stage.progress.verdict)


def test_passing_at_the_very_end_of_the_budget_counts() -> None:
    stage = loop(Notes(), lambda step: 1.0, plan(timesteps=55))
    stage.run()
    assert stage.progress.passed


def test_passes_that_are_one_too_few_at_the_end_do_not_count() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 1.0, plan(timesteps=40))
    assert stage.run() is None
    assert (stage.progress.consecutive, stage.progress.passed) == (2, False)


@pytest.mark.parametrize(
    ("eval_freq", "expected"),
    [(20, [20, 40, 60, 70]), (15, [20, 30, 50, 60, 70]), (5, [*range(10, 71, 10)]), (1000, [70])],
)
def test_evaluates_when_due_and_at_the_end(eval_freq: int, expected: list[int]) -> None:
    notes = Notes()
    loop(notes, lambda step: 0.0, plan(timesteps=65, eval_freq=eval_freq)).run()
    assert [step for step, *_ in notes.evaluations] == expected


def test_keeps_the_best_policy_and_of_equals_the_first() -> None:
    scores = {20: 0.25, 40: 0.5, 60: 0.25, 80: 0.5, 100: 0.375}
    notes = Notes()
    stage = loop(notes, scores.__getitem__, plan(timesteps=100))
    stage.run()
    assert notes.kept == [20, 40]
    assert (stage.progress.best_score, stage.progress.best_step) == (0.5, 40)
    assert stage.progress.best_mean_reward == 1.5
    assert stage.progress.best_mean_episode_length == 50.0
    assert stage.progress.evaluations == 5


def test_saves_when_due_and_at_the_end() -> None:
    notes = Notes()
    loop(notes, lambda step: 0.0, plan(timesteps=120)).run()
    assert [step for step, _ in notes.saved] == [50, 100, 120]
    assert [progress["finished"] for _, progress in notes.saved] == [False, False, True]


def test_an_interrupt_saves_and_stops() -> None:
    notes = Notes(stop_at=70)
    stage = loop(notes, lambda step: 0.5, plan())
    assert stage.run() == STOP
    assert notes.steps[-1] == 70
    step, progress = notes.saved[-1]
    assert step == 70
    assert progress["finished"] is False
    assert progress["evaluations"] == 3


def test_an_interrupt_in_the_last_step_changes_nothing() -> None:
    notes = Notes(stop_at=200)
    assert loop(notes, lambda step: 0.5, plan()).run() is None
    assert notes.saved[-1][1]["finished"] is True


@pytest.mark.parametrize("stop_at", range(10, 120, 10))
def test_goes_on_as_if_never_interrupted(stop_at: int) -> None:
    def score(step: int) -> float:
        return {40: 0.9375, 60: 0.5}.get(step, 1.0)

    whole = Notes()
    through = loop(whole, score, plan())
    assert through.run() is None
    first, second = Notes(stop_at), Notes()
    assert loop(first, score, plan()).run() == STOP
    step, saved = first.saved[-1]
    rest = loop(second, score, plan(), saved, step)
    assert rest.run() is None
    assert first.evaluations + second.evaluations == whole.evaluations
    assert first.kept + second.kept == whole.kept
    assert first.steps + second.steps == whole.steps
    assert rest.progress == through.progress


def test_a_finished_stage_is_not_trained_again() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 1.0, plan())
    stage.run()
    again = Notes()
    assert loop(again, lambda step: 1.0, plan(), stage.state(), step=60).run() is None
    assert again.steps == []
    assert again.saved == []


def test_says_what_it_is_doing() -> None:
    notes = Notes()
    loop(notes, lambda step: 0.0, plan(timesteps=20, save_freq=20)).run()
    assert notes.phases == ["compiling", "training", "evaluating", "saving", "training"]


def test_a_passed_gate_is_certified_once_on_fresh_episodes() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 1.0, plan(), certify=lambda step, number: 0.96875)
    assert stage.run() is None
    assert notes.certifications == [(60, True)]
    (found,) = stage.progress.certifications
    assert (found["step"], found["passed"], found["evaluation"]["success"]) == (60, True, 0.96875)
    assert {criterion["name"] for criterion in found["gate"]} >= {"success", "success_low"}
    assert notes.phases[-3:] == ["evaluating", "certifying", "saving"] or "certifying" in notes.phases


def test_a_failed_certification_means_that_training_goes_on() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 1.0, plan(), certify=lambda step, number: 0.5 if number == 0 else 1.0)
    assert stage.run() is None
    assert notes.certifications == [(60, False), (120, True)], "the passes in a row are counted anew"
    assert [consecutive for *_, consecutive in notes.evaluations] == [1, 2, 3, 1, 2, 3]
    assert stage.progress.passed


def test_a_stage_whose_budget_ends_uncertified_is_not_passed() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 1.0, plan(timesteps=60), certify=lambda step, number: 0.0)
    assert stage.run() is None
    assert (stage.progress.passed, stage.progress.finished) == (False, True)
    assert notes.certifications == [(60, False)]


@pytest.mark.parametrize("stop_at", [50, 60, 70])
def test_a_certification_is_not_repeated_after_an_interruption(stop_at: int) -> None:
    def certify(step: int, number: int) -> float:
        return 1.0 if number else 0.5

    first, second = Notes(stop_at), Notes()
    assert loop(first, lambda step: 1.0, plan(), certify=certify).run() == STOP
    step, saved = first.saved[-1]
    assert loop(second, lambda step: 1.0, plan(), saved, step, certify).run() is None
    assert first.certifications + second.certifications == [(60, False), (120, True)]


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 0.5, plan(timesteps=60))
    real = stage._evaluate
    stage._evaluate = lambda policy: real(policy) | ({"score": float("nan")} if policy.info["step"] != 40 else {})
    assert stage.run() is None
    assert notes.kept == [40]


def test_a_policy_that_is_no_number_is_never_judged_saved_or_best() -> None:
    notes, learner = Notes(), ScriptedLearner()
    learner.nan_at = 40
    stage = loop(notes, lambda step: 1.0, plan(), learner=learner)
    with pytest.raises(Diverged, match="40 steps: the policy is not finite"):
        stage.run()
    assert notes.kept == [20]
    assert [step for step, *_ in notes.evaluations] == [20]
    assert not stage.progress.passed
    assert notes.saved == []
    with pytest.raises(Diverged):
        loop(notes, lambda step: 1.0, plan(save_freq=40, eval_freq=60), learner=learner).run()
    assert notes.saved == []


def test_a_training_that_diverges_leaves_a_checkpoint_of_its_last_finite_state() -> None:
    notes = Notes()
    stage = loop(notes, lambda step: 0.5, plan(), learner=ScriptedLearner(diverge_at=70))
    with pytest.raises(Diverged, match=r"70 steps.*learning rate 0\.001.*lower"):
        stage.run()
    step, progress = notes.saved[-1]
    assert (step, progress["finished"]) == (70, False)
