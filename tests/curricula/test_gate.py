"""The gate: every criterion can fail alone and says so, and neither standing still nor hopping ever passes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.config import CurriculumSection
from mesozoic.curricula.gate import Gate, gate_problems
from mesozoic.evaluation.episodes import Summary
from mesozoic.evaluation.wilson import wilson

PLAN = CurriculumSection(
    eval_episodes=64,
    min_success=0.9,
    min_success_low=0.75,
    min_survival=0.85,
    min_avg_reward=100.0,
    min_avg_episode_length=400,
    max_flight=0.05,
)
LENIENT = CurriculumSection(min_avg_reward=-1e9)
COUNT = 64


def summary(successes: int, survivors: int = COUNT, reward: float = 200.0, length: float = 450.0) -> Summary:
    """Figures of an evaluation of a stage without locomotion."""
    success_low, success_high = wilson(successes, COUNT)
    low, high = wilson(survivors, COUNT)
    return {
        "success": successes / COUNT,
        "success_low": success_low,
        "success_high": success_high,
        "survival_low": low,
        "survival_high": high,
        "avg_reward": reward,
        "avg_episode_length": length,
    }


def walking(flight: float, successes: int = COUNT) -> Summary:
    """Figures of an evaluation of a walk that is airborne for a share `flight` of the time."""
    return {**summary(successes), "gait/flight": flight}


WEAK_STATUE = summary(3, survivors=3)


@pytest.mark.parametrize("figures", [summary(64), summary(58), walking(0.0), walking(0.049), walking(0.05)])
def test_a_good_policy_passes(figures: Summary) -> None:
    verdict = Gate(PLAN, {"statue": WEAK_STATUE}).judge(figures)
    assert verdict.failures() == []
    assert verdict.passed
    assert all(criterion["passed"] for criterion in verdict.to_json())


@pytest.mark.parametrize(
    ("change", "figures", "statue", "reason"),
    [
        ({}, summary(57), WEAK_STATUE, "success 0.8906 < 0.9"),
        ({"min_success_low": 0.91}, summary(61), WEAK_STATUE, "success_low 0.871 < 0.91"),
        ({}, summary(64, survivors=58), WEAK_STATUE, "survival_low 0.8102 < 0.85"),
        ({}, summary(64, reward=99.0), WEAK_STATUE, "avg_reward 99 <= 100"),
        ({}, summary(64, length=399.5), WEAK_STATUE, "avg_episode_length 399.5 <= 400"),
        ({}, summary(64), summary(60), "success_low over statue 0.9434 <= 0.9754"),
        ({}, walking(0.06), WEAK_STATUE, "share of time on the floor 0.94 < 0.95"),
    ],
)
def test_each_criterion_fails_alone_with_its_reason(
    change: dict[str, float], figures: Summary, statue: Summary, reason: str
) -> None:
    verdict = Gate(PLAN.model_copy(update=change), {"statue": statue}).judge(figures)
    assert not verdict.passed
    assert verdict.failures() == [reason]
    assert sum(not criterion["passed"] for criterion in verdict.to_json()) == 1


@pytest.mark.parametrize("successes", [0, 1, 32, 63, 64])
def test_a_statue_never_passes_even_if_it_always_succeeds(successes: int) -> None:
    itself = summary(successes)
    verdict = Gate(LENIENT, {"statue": itself}).judge(itself)
    assert [text.split(" 0")[0] for text in verdict.failures()] == ["success_low over statue"]


@given(st.integers(0, COUNT), st.integers(0, COUNT))
def test_who_does_not_succeed_more_often_than_the_statue_never_passes(policy: int, statue: int) -> None:
    verdict = Gate(LENIENT, {"statue": summary(statue)}).judge(summary(policy))
    if policy <= statue:
        assert not verdict.passed
    assert verdict.passed == (wilson(policy, COUNT)[0] > wilson(statue, COUNT)[1])


def test_survival_of_the_statue_does_not_count() -> None:
    assert Gate(PLAN, {"statue": summary(0, survivors=64)}).judge(summary(64)).passed


def test_a_hopper_is_not_passed_however_often_it_is_said_to_succeed() -> None:
    verdict = Gate(LENIENT, {"statue": WEAK_STATUE}).judge(walking(0.45))
    assert verdict.failures() == ["share of time on the floor 0.55 < 0.95"]


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_walk_passes_up_to_the_flight_that_is_allowed(flight: float, allowed: float) -> None:
    plan = LENIENT.model_copy(update={"max_flight": allowed})
    if abs(flight - allowed) > 1e-9:
        assert Gate(plan, {"statue": WEAK_STATUE}).judge(walking(flight)).passed == (flight < allowed)


def test_flight_is_judged_only_where_somebody_walks() -> None:
    names = [criterion.name for criterion in Gate(PLAN, {"statue": WEAK_STATUE}).judge(summary(64)).criteria]
    more = [criterion.name for criterion in Gate(PLAN, {"statue": WEAK_STATUE}).judge(walking(0.0)).criteria]
    assert more == [*names, "share of time on the floor"]


def test_shares_may_equal_their_thresholds_but_means_must_exceed_theirs() -> None:
    low, _ = wilson(62, COUNT)
    exact = PLAN.model_copy(update={"min_success": 62 / COUNT, "min_success_low": low, "min_survival": low})
    gate = Gate(exact, {"statue": WEAK_STATUE})
    assert gate.judge(summary(62, survivors=62)).passed
    assert not gate.judge(summary(62, survivors=62, reward=100.0)).passed
    assert not gate.judge(summary(62, survivors=62, length=400.0)).passed


@pytest.mark.parametrize(
    "name", ["success", "success_low", "survival_low", "avg_reward", "avg_episode_length", "gait/flight"]
)
def test_figures_that_are_no_numbers_do_not_pass(name: str) -> None:
    assert not Gate(PLAN, {"statue": WEAK_STATUE}).judge(walking(0.0) | {name: float("nan")}).passed
    assert not Gate(LENIENT, {"statue": WEAK_STATUE}).judge(walking(0.0) | {name: float("nan")}).passed


@pytest.mark.parametrize("key", ["min_success_low", "min_survival"])
def test_a_gate_that_nobody_can_pass_is_refused_with_the_key_to_change(key: str) -> None:
    assert gate_problems(PLAN) == []
    best = wilson(30, 30)[0]
    too_few = PLAN.model_copy(update={"eval_episodes": 30, key: 0.9})
    (sentence,) = gate_problems(too_few)
    assert re.match(
        rf"curriculum\.{key} = 0\.9 .*30 episodes.*lower bound {best:.3f}.*curriculum\.eval_episodes", sentence
    )
    assert gate_problems(too_few.model_copy(update={key: best})) == []


@given(st.integers(0, COUNT), st.integers(0, COUNT), st.integers(0, COUNT))
def test_a_policy_is_held_against_the_better_of_the_baselines(policy: int, still: int, twitching: int) -> None:
    rivals = {"statue": summary(still), "random": summary(twitching), "statue, undisturbed": summary(COUNT)}
    verdict = Gate(LENIENT, rivals).judge(summary(policy))
    assert verdict.passed == (wilson(policy, COUNT)[0] > wilson(max(still, twitching), COUNT)[1])
    better = "random" if twitching > still else "statue"
    assert f"success_low over {better}" in [criterion.name for criterion in verdict.criteria]
