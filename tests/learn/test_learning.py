"""Learning works: on a task of one step, actions, values and bootstraps go where they must."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.learn.host_collector import HostCollector
from mesozoic.learn.ppo.learner import PPO
from mesozoic.species.anatomy import Anatomy
from mesozoic.task import Transition

GOAL = np.array([0.5, -0.3], np.float32)
Reward = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
Config = Callable[..., StageConfig]


class OneStepTask:
    """Looks like a `BatchEnv`: observes noise, rewards by a formula, and ends every episode after one step."""

    action_size = 2

    def __init__(self, anatomy: Anatomy, n: int, reward: Reward, truncates: bool) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        self.anatomy = dataclasses.replace(
            anatomy, nq=7, nv=6, nu=self.action_size, foot_names=(), joint_mirror=nothing, foot_mirror=nothing
        )
        self.observation_size = task.observation_size(self.anatomy)
        self.n = n
        self._reward, self._truncates = reward, truncates
        self._rng = np.random.default_rng(0)
        self.observation = self._noise()

    def _noise(self) -> NDArray[np.float32]:
        return self._rng.normal(size=(self.n, self.observation_size)).astype(np.float32)

    def step(self, action: NDArray[np.float32]) -> Transition:
        reward = self._reward(self.observation, action)
        beyond, self.observation = self._noise(), self._noise()
        terminated = np.full(self.n, not self._truncates)
        return Transition(
            observation=self.observation,
            reward=reward,
            terms={"term": reward},
            reasons={"low": terminated},
            succeeded=np.zeros(self.n, bool),
            terminated=terminated,
            truncated=~terminated,
            next_observation=beyond,
        )


def trained(anatomy: Anatomy, config: Config, reward: Reward, truncates: bool, updates: int) -> tuple[PPO, list[dict]]:
    stage = config(
        "stage.n_envs=16",
        "ppo.n_steps=16",
        "ppo.batch_size=64",
        "ppo.n_epochs=4",
        "ppo.gamma=0.5",
        "ppo.learning_rate=1e-2",
        "ppo.learning_rate_end=None",
        "ppo.ent_coef=0.0",
        "ppo.log_std_end=None",
        "ppo.average_updates=1",
        "jax.mirror=false",
    )
    learner = PPO(HostCollector(OneStepTask(anatomy, 16, reward, truncates)), stage, "velociraptor", seed=0)  # type: ignore[arg-type]
    return learner, [dict(learner.learn()) for _ in range(updates)]


@pytest.fixture(scope="module")
def easy(anatomy: Anatomy, config: Config) -> tuple[PPO, list[dict]]:
    """Pays for actions near the goal, and for what the first observation is, which no action changes."""

    def reward(observation: NDArray[np.float32], action: NDArray[np.float32]) -> NDArray[np.float32]:
        return -observation[:, 0] - np.square(action - GOAL).sum(axis=1)

    return trained(anatomy, config, reward, truncates=False, updates=40)


def test_actions_move_to_where_the_reward_is(easy: tuple[PPO, list[dict]]) -> None:
    observation = np.random.default_rng(1).normal(size=(500, easy[0].policy().observation_size)).astype(np.float32)
    off = np.abs(easy[0].policy().act(observation).mean(axis=0) - GOAL)
    assert (off < 0.15).all(), off


def test_the_critic_learns_what_the_reward_depends_on(easy: tuple[PPO, list[dict]]) -> None:
    explained = [metrics["train/explained_variance"] for metrics in easy[1]]
    assert np.mean(explained[-5:]) > max(0.8, explained[0] + 0.2), explained
    losses = [metrics["train/value_loss"] for metrics in easy[1]]
    assert np.mean(losses[-5:]) < 0.3 * losses[0]


def test_episodes_are_counted(easy: tuple[PPO, list[dict]]) -> None:
    first = easy[1][0]
    assert first["rollout/episodes"] == 256
    assert first["rollout/episode_length"] == 1
    assert first["rollout/episode_reward"] == pytest.approx(first["reward/term"], rel=1e-5)
    assert (first["end/low"], first["end/timeout"]) == (1.0, 0.0)


@pytest.mark.parametrize(("truncates", "worth"), [(False, 1.0), (True, 2.0)])
def test_running_out_of_time_is_worth_what_would_follow(
    anatomy: Anatomy, config: Config, truncates: bool, worth: float
) -> None:
    """Reward 1 for ever with discount 0.5 is worth 2; if the episode is over after it, it is worth 1."""
    learner, _ = trained(anatomy, config, lambda o, a: np.ones(len(o), np.float32), truncates, updates=25)
    scale = learner.policy().arrays["value_scale/mean"]
    assert float(scale) == pytest.approx(worth, abs=0.2)
