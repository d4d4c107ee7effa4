"""The gate: every criterion can fail alone and says so, and standing still never passes."""

from __future__ import annotations

import pytest

from mesozoic.config import CurriculumSection
from mesozoic.curriculum.gate import Gate, check_gate
from mesozoic.errors import UserError
from mesozoic.evaluate.episodes import Summary
from mesozoic.evaluate.wilson import wilson

PLAN = CurriculumSection(eval_episodes=64, min_survival=0.9, min_avg_reward=100.0, min_avg_episode_length=400)


def summary(survivors: int, reward: float = 200.0, length: float = 450.0, count: int = 64) -> Summary:
    low, high = wilson(survivors, count)
    return {"survival_low": low, "survival_high": high, "avg_reward": reward, "avg_episode_length": length}


WEAK_STATUE = summary(3)


def test_a_good_policy_passes() -> None:
    verdict = Gate(PLAN, WEAK_STATUE).judge(summary(64))
    assert verdict.passed
    assert verdict.failures() == []
    assert all(criterion["passed"] for criterion in verdict.to_json())


@pytest.mark.parametrize(
    ("figures", "statue", "reason"),
    [
        (summary(60), WEAK_STATUE, "survival_low 0.8"),
        (summary(64, reward=99.0), WEAK_STATUE, "avg_reward 99 <= 100"),
        (summary(64, length=399.5), WEAK_STATUE, "avg_episode_length 399.5 <= 400"),
        (summary(64), summary(60), "survival_low over statue 0.9434 <= 0.97"),
    ],
)
def test_each_criterion_fails_alone_with_its_reason(figures: Summary, statue: Summary, reason: str) -> None:
    verdict = Gate(PLAN, statue).judge(figures)
    assert not verdict.passed
    assert len(verdict.failures()) == 1
    assert verdict.failures()[0].startswith(reason)
    assert sum(not criterion["passed"] for criterion in verdict.to_json()) == 1


def test_a_statue_never_passes_even_if_it_survives_everything() -> None:
    easy = PLAN.model_copy(update={"min_survival": 0.0, "min_avg_reward": -1e9, "min_avg_episode_length": 0.0})
    for survivors in (0, 1, 32, 63, 64):
        itself = summary(survivors)
        verdict = Gate(easy, itself).judge(itself)
        assert [text.split(" 0")[0] for text in verdict.failures()] == ["survival_low over statue"]


def test_survival_may_equal_its_threshold_but_means_must_exceed_theirs() -> None:
    exact = PLAN.model_copy(update={"min_survival": wilson(62, 64)[0]})
    assert Gate(exact, WEAK_STATUE).judge(summary(62)).passed
    assert not Gate(exact, WEAK_STATUE).judge(summary(62, reward=100.0)).passed
    assert not Gate(exact, WEAK_STATUE).judge(summary(62, length=400.0)).passed


def test_figures_that_are_no_numbers_do_not_pass() -> None:
    assert not Gate(PLAN, WEAK_STATUE).judge(summary(64, reward=float("nan"))).passed


def test_a_gate_that_nobody_can_pass_is_refused_with_the_key_to_change() -> None:
    check_gate(PLAN)
    too_few = PLAN.model_copy(update={"eval_episodes": 30})
    best = wilson(30, 30)[0]
    with pytest.raises(UserError, match=rf"30 episodes.*lower bound {best:.3f}.*curriculum\.eval_episodes"):
        check_gate(too_few)
    check_gate(too_few.model_copy(update={"min_survival": best}))
