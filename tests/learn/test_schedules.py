"""Schedules are functions of the step alone, and the learner really follows them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesozoic.config import CurriculumSection, PPOSection, StageConfig
from mesozoic.learn import schedules
from mesozoic.learn.ppo.learner import PPO
from mesozoic.sim.batch_env import BatchEnv

MakeLearner = Callable[..., tuple[BatchEnv, PPO]]

shares = st.floats(0.0, 1.0)
rates = st.floats(1e-6, 1.0)
log_stds = st.floats(-5.0, 1.0)
counts = st.integers(0, 10**7)
plans = st.builds(
    CurriculumSection,
    timesteps=st.integers(1, 10**7),
    warmup_timesteps=counts,
    warmup_clip_range=st.floats(1e-3, 0.999),
    warmup_ent_coef=st.none() | shares,
    ramp_timesteps=counts,
    ramp_start_value=shares,
)
ppos = st.builds(
    PPOSection,
    learning_rate=rates,
    learning_rate_end=st.none() | rates,
    clip_range=st.floats(1e-3, 0.999),
    ent_coef=shares,
    ent_anneal_fraction=st.floats(0.01, 1.0),
    log_std_init=log_stds,
    log_std_end=st.none() | log_stds,
    log_std_fraction=st.floats(0.01, 1.0),
)


class TestWarmUp:
    @given(ppos, plans, counts)
    def test_the_clip_range_is_its_own_and_then_the_normal_one(
        self, ppo: PPOSection, plan: CurriculumSection, step: int
    ) -> None:
        expected = plan.warmup_clip_range if step < plan.warmup_timesteps else ppo.clip_range
        assert schedules.clip_range(ppo, plan, step) == expected

    @given(ppos, plans, counts)
    def test_the_entropy_bonus_is_its_own_and_then_the_normal_one(
        self, ppo: PPOSection, plan: CurriculumSection, step: int
    ) -> None:
        normal = schedules.ent_coef(ppo, plan.model_copy(update={"warmup_timesteps": 0}), step)
        warm = step < plan.warmup_timesteps and plan.warmup_ent_coef is not None
        assert schedules.ent_coef(ppo, plan, step) == (plan.warmup_ent_coef if warm else normal)

    @given(ppos, plans)
    def test_it_ends_with_its_last_step(self, ppo: PPOSection, plan: CurriculumSection) -> None:
        assume(plan.warmup_timesteps > 0)
        assert schedules.warming_up(plan, 0) and schedules.warming_up(plan, plan.warmup_timesteps - 1)
        assert schedules.clip_range(ppo, plan, plan.warmup_timesteps - 1) == plan.warmup_clip_range
        assert not schedules.warming_up(plan, plan.warmup_timesteps)
        assert schedules.clip_range(ppo, plan, plan.warmup_timesteps) == ppo.clip_range

    @given(ppos, plans, counts)
    def test_without_it_nothing_is_held_back(self, ppo: PPOSection, plan: CurriculumSection, step: int) -> None:
        plan = plan.model_copy(update={"warmup_timesteps": 0})
        assert schedules.clip_range(ppo, plan, step) == ppo.clip_range
        assert schedules.ent_coef(ppo, plan, 0) == ppo.ent_coef


class TestEntropy:
    @given(ppos, plans, counts, counts)
    def test_falls_to_nothing_in_its_share_of_the_budget(
        self, ppo: PPOSection, plan: CurriculumSection, first: int, second: int
    ) -> None:
        plan = plan.model_copy(update={"warmup_timesteps": 0})
        earlier, later = (schedules.ent_coef(ppo, plan, step) for step in sorted((first, second)))
        assert ppo.ent_coef >= earlier >= later >= 0.0
        if max(first, second) >= plan.timesteps * ppo.ent_anneal_fraction:
            assert later == pytest.approx(0.0, abs=1e-9)


class TestRamp:
    @given(plans)
    def test_goes_from_its_start_to_exactly_one(self, plan: CurriculumSection) -> None:
        if plan.ramp_timesteps > 0:
            assert schedules.ramp_share(plan, 0) == plan.ramp_start_value
        assert schedules.ramp_share(plan, plan.ramp_timesteps) == 1.0

    @given(plans, counts)
    def test_stays_at_one_afterwards(self, plan: CurriculumSection, more: int) -> None:
        assert schedules.ramp_share(plan, plan.ramp_timesteps + more) == 1.0

    @given(plans, counts)
    def test_rises_without_a_jump(self, plan: CurriculumSection, step: int) -> None:
        here, there = schedules.ramp_share(plan, step), schedules.ramp_share(plan, step + 1)
        assert plan.ramp_start_value <= here <= there <= 1.0
        if plan.ramp_timesteps > 0:
            assert there - here <= (1.0 - plan.ramp_start_value) / plan.ramp_timesteps + 1e-12

    @given(plans, counts)
    def test_half_way_is_half_way(self, plan: CurriculumSection, half: int) -> None:
        assume(half > 0)
        plan = plan.model_copy(update={"ramp_timesteps": 2 * half})
        assert schedules.ramp_share(plan, half) == pytest.approx((plan.ramp_start_value + 1.0) / 2.0)


class TestLogStd:
    @given(ppos, plans, counts)
    def test_is_nobodys_business_where_it_is_learned(self, ppo: PPOSection, plan: CurriculumSection, step: int) -> None:
        assert schedules.log_std(ppo.model_copy(update={"log_std_end": None}), plan, step) is None

    @given(ppos, log_stds, plans, counts)
    def test_goes_in_a_line_from_its_beginning_to_its_end_and_stays(
        self, ppo: PPOSection, end: float, plan: CurriculumSection, step: int
    ) -> None:
        ppo = ppo.model_copy(update={"log_std_end": end})
        first, here, there = (schedules.log_std(ppo, plan, at) for at in (0, step, step + 1))
        assert first == ppo.log_std_init
        assert here is not None and there is not None
        low, high = sorted((ppo.log_std_init, end))
        assert low - 1e-9 <= here <= high + 1e-9
        span = plan.timesteps * ppo.log_std_fraction
        assert abs(there - here) <= abs(end - ppo.log_std_init) / span + 1e-9
        if step >= span:
            assert here == there == pytest.approx(end)


class TestLearningRate:
    @given(ppos, plans, counts)
    def test_goes_in_a_line_over_the_budget(self, ppo: PPOSection, plan: CurriculumSection, step: int) -> None:
        end = ppo.learning_rate if ppo.learning_rate_end is None else ppo.learning_rate_end
        share = min(step, plan.timesteps) / plan.timesteps
        wanted = (1.0 - share) * ppo.learning_rate + share * end
        assert schedules.learning_rate(ppo, plan, step) == pytest.approx(wanted, rel=1e-6, abs=1e-12)
        assert schedules.learning_rate(ppo, plan, 0) == ppo.learning_rate


# The learner. A rollout has 64 steps, the budget is four of them.
WARM_UP = (
    "curriculum.warmup_timesteps=128",
    "curriculum.warmup_clip_range=0.01",
    "curriculum.warmup_ent_coef=0.05",
    "ppo.clip_range=0.2",
    "ppo.ent_coef=0.008",
    "ppo.ent_anneal_fraction=1.0",
)
RAMP = ("curriculum.ramp_timesteps=128", "curriculum.ramp_start_value=0.25")
SCHEDULED = ("train/clip_range", "train/ent_coef", "train/learning_rate", "train/ramp")


def updates(learner: PPO, count: int) -> list[dict[str, float]]:
    return [dict(learner.learn()) for _ in range(count)]


@pytest.fixture(scope="module")
def walking(config: Callable[..., StageConfig]) -> Callable[..., StageConfig]:
    """The tiny stage 1, in which the animal is paid for walking too."""
    walk = ("env.target_froude=0.1", "env.forward_vel_weight=2.0", "env.alive_bonus=1.0")
    return lambda *overrides: config(*walk, *overrides)


def test_the_learner_says_what_it_follows(make: MakeLearner) -> None:
    env, learner = make(*WARM_UP, *RAMP)
    seen = updates(learner, 5)
    assert [metrics["train/clip_range"] for metrics in seen] == pytest.approx([0.01, 0.01, 0.2, 0.2, 0.2])
    assert [metrics["train/ent_coef"] for metrics in seen] == pytest.approx([0.05, 0.05, 0.004, 0.002, 0.0])
    assert [metrics["train/ramp"] for metrics in seen] == [0.25, 0.625, 1.0, 1.0, 1.0]
    assert env.ramp == 1.0


def test_the_ramp_scales_what_walking_pays_and_nothing_else(
    make: MakeLearner, walking: Callable[..., StageConfig]
) -> None:
    """The first rollouts have the same actions, since what they pay changes the policy only after them."""
    _, ramped = make(stage=walking(*RAMP))
    _, plain = make(stage=walking())
    part, whole = updates(ramped, 1)[0], updates(plain, 1)[0]
    assert abs(whole["reward/forward_vel"]) > 1e-3
    assert part["reward/forward_vel"] == pytest.approx(0.25 * whole["reward/forward_vel"], rel=1e-5)
    assert part["reward/alive"] == whole["reward/alive"] != 0.0


def test_a_tiny_clip_range_keeps_the_policy_close_during_the_warm_up(make: MakeLearner) -> None:
    observation = np.random.default_rng(0).normal(size=(200, make()[0].observation_size)).astype(np.float32)

    def moved(*overrides: str) -> float:
        _, learner = make(*overrides, "ppo.n_epochs=16", "ppo.learning_rate=1e-3", "ppo.average_updates=1")
        before = learner.policy().act(observation)
        updates(learner, 1)
        return float(np.abs(learner.policy().act(observation) - before).mean())

    held = moved("curriculum.warmup_timesteps=64", "curriculum.warmup_clip_range=0.001")
    over = moved("curriculum.warmup_timesteps=0", "curriculum.warmup_clip_range=0.001")
    free = moved()
    assert 0.0 < held < 0.7 * free
    assert over == free, "a warm-up that is over, or was never asked for, holds nothing back"


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_resumed_run_follows_the_same_schedules(make: MakeLearner, done: int) -> None:
    env, learner = make(*WARM_UP, *RAMP)
    whole = updates(learner, done)
    state = {"learner": learner.state(), "env": env.state()}
    whole += updates(learner, 4 - done)
    new_env, resumed = make(*WARM_UP, *RAMP)
    new_env.set_state(state["env"])
    resumed.set_state(state["learner"])
    rest = updates(resumed, 4 - done)
    assert [[metrics[name] for name in SCHEDULED] for metrics in rest] == [
        [metrics[name] for name in SCHEDULED] for metrics in whole[done:]
    ]
    assert rest == whole[done:]
    assert resumed.policy().to_bytes() == learner.policy().to_bytes()
