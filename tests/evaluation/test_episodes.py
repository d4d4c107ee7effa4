"""Evaluation: repeatable, honest about what it counts, and blind to the reward weights."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from mesozoic.config import StageConfig, parse_overrides
from mesozoic.evaluation.actors import random_actor, statue
from mesozoic.evaluation.episodes import Episodes, baselines, run_episodes
from mesozoic.sim.actor import Actor
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, load_stage
from mesozoic.task import TERMS, weight_key


@pytest.fixture(scope="module")
def config() -> StageConfig:
    """Stage 1 with episodes of 60 steps and so much noise and pushing that some fall early and some do not."""
    overrides = [
        "env.max_episode_steps=60",
        "env.reset_noise_scale=0.1",
        "env.push_interval=0.5",
        "env.push_velocity_min=0.0",
        "env.push_velocity_max=0.4",
        "curriculum.eval_episodes=8",
        "curriculum.min_avg_episode_length=0",
    ]
    return load_stage("velociraptor", 1, parse_overrides(overrides))


@pytest.fixture(scope="module")
def actor(species: Species) -> Actor:
    """Moves by what it observes in each world alone, so that a world acts the same among any others."""
    size = species.load_model().nu
    return lambda observation: np.clip(0.1 * observation[:, :size], -1.0, 1.0)


def same(a: Episodes, b: Episodes) -> bool:
    first, second = asdict(a), asdict(b)
    return str(first) == str(second) and all((first[n] == second[n]).all() for n in ("length", "reward", "survived"))


def test_seed_and_stream_decide_everything(species: Species, config: StageConfig, actor: Actor) -> None:
    first = run_episodes(actor, species, config, 3, Stream.GATE)
    assert same(first, run_episodes(actor, species, config, 3, Stream.GATE))
    assert not same(first, run_episodes(actor, species, config, 4, Stream.GATE))
    assert not same(first, run_episodes(actor, species, config, 3, Stream.EVAL))
    assert not same(first, run_episodes(actor, species, config, 3, Stream.TRAIN))


def test_runs_as_many_episodes_as_the_stage_says_or_the_caller(species: Species, config: StageConfig) -> None:
    still = statue(species.load_model().nu)
    assert len(run_episodes(still, species, config, 0, Stream.GATE).length) == 8
    summary = run_episodes(still, species, config, 0, Stream.GATE, episodes=3).summary()
    assert summary["episodes"] == 3


@pytest.mark.parametrize("seed", range(4))
def test_equals_one_world_stepped_by_hand(species: Species, config: StageConfig, actor: Actor, seed: int) -> None:
    episodes = run_episodes(actor, species, config, seed, Stream.EVAL)
    env = native_env(species, config.env, 1, seed, Stream.EVAL, auto_reset=False)
    observation, total, length = env.reset(), 0.0, 0
    while True:
        result = env.step(actor(observation))
        observation, total, length = result.observation, total + float(result.reward[0]), length + 1
        if result.terminated[0] or result.truncated[0]:
            break
    assert episodes.length[0] == length
    assert episodes.reward[0] == pytest.approx(total, abs=1e-9)
    assert episodes.survived[0] == result.truncated[0] == (length == 60)
    for name, mask in result.reasons.items():
        assert episodes.ends[name][0] == mask[0]


def test_figures_agree_with_each_other(species: Species, config: StageConfig, actor: Actor) -> None:
    episodes = run_episodes(actor, species, config, 0, Stream.GATE, episodes=24)
    summary = episodes.summary()
    assert 0 < episodes.survived.sum() < 24, "the test needs both outcomes"
    failed = np.any(list(episodes.ends.values()), axis=0)
    assert (failed == ~episodes.survived).all()
    assert (episodes.length[episodes.survived] == 60).all()
    assert (episodes.length[failed] <= 60).all()
    assert summary["score"] == summary["survival"] == episodes.survived.mean()
    assert summary["survival_low"] < summary["survival"] < summary["survival_high"]
    assert summary["avg_episode_length"] == episodes.length.mean()
    per_step = sum(value for name, value in summary.items() if name.startswith("reward/"))
    assert per_step * episodes.length.sum() == pytest.approx(episodes.reward.sum(), rel=1e-5)


def test_no_reward_weight_enters_the_score(species: Species, config: StageConfig, actor: Actor) -> None:
    weights = {weight_key(term): 0.7 + 2.0 * getattr(config.env, weight_key(term)) for term in TERMS}
    other = config.model_copy(update={"env": config.env.model_copy(update=weights)})
    first = run_episodes(actor, species, config, 0, Stream.GATE, episodes=16)
    second = run_episodes(actor, species, other, 0, Stream.GATE, episodes=16)
    assert second.summary()["score"] == first.summary()["score"]
    assert (second.survived == first.survived).all()
    assert (second.length == first.length).all()
    assert (second.reward != first.reward).all()


def test_standing_still_is_no_solution_of_the_shipped_stage(species: Species) -> None:
    shipped = load_stage("velociraptor", 1)
    figures = baselines(species, shipped, 0, Stream.GATE, episodes=64)
    assert set(figures) == {"statue", "statue, undisturbed", "random"}
    assert figures["statue, undisturbed"]["survival"] == 1.0
    assert figures["statue"]["survival"] <= 0.2
    assert figures["random"]["survival"] <= 0.2


def test_random_actions_are_seeded_and_fill_the_range() -> None:
    observation = np.zeros((1000, 5), np.float32)
    action = random_actor(3, seed=1)(observation)
    assert (action == random_actor(3, seed=1)(observation)).all()
    assert (action != random_actor(3, seed=2)(observation)).any()
    assert action.shape == (1000, 3)
    assert action.min() < -0.95
    assert action.max() > 0.95
    assert np.abs(action).max() <= 1.0
    assert not statue(3)(observation).any()
