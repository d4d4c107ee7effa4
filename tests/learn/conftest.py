"""A stage so small that an update takes milliseconds, and learners on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesozoic.config import StageConfig, parse_overrides
from mesozoic.learn.host_collector import HostCollector
from mesozoic.learn.policy import Policy
from mesozoic.learn.ppo.learner import PPO
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, load_stage

TINY = (
    "stage.n_envs=8",
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.n_epochs=2",
    "ppo.target_kl=None",
    "ppo.net_arch=[16, 16]",
    "curriculum.timesteps=256",
    "curriculum.min_avg_episode_length=0",
)

MakeConfig = Callable[..., StageConfig]
MakeLearner = Callable[..., tuple[BatchEnv, PPO]]


@pytest.fixture(scope="session")
def config() -> MakeConfig:
    """The tiny stage 1 with more overrides."""
    return lambda *overrides: load_stage("velociraptor", 1, parse_overrides([*TINY, *overrides]))


@pytest.fixture(scope="session")
def make(species: Species, config: MakeConfig) -> MakeLearner:
    """A fresh environment and a learner on it."""

    def build(
        *overrides: str, seed: int = 0, warm_start: Policy | None = None, stage: StageConfig | None = None
    ) -> tuple[BatchEnv, PPO]:
        stage = config(*overrides) if stage is None else stage
        env = native_env(species, stage.env, stage.stage.n_envs, seed, Stream.TRAIN, random_age=True)
        env.reset()
        return env, PPO(HostCollector(env), stage, "velociraptor", seed, warm_start)

    return build
