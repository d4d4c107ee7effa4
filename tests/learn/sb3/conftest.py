"""A stage so small that an update takes milliseconds, and SB3 learners on it. Nothing here imports PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mesozoic.config import StageConfig, parse_overrides
from mesozoic.learn.kinds import find_kind
from mesozoic.learn.policy import Policy
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.species import get_species, load_stage

TINY = (
    *("stage.n_envs=8", "env.max_episode_steps=20", "curriculum.timesteps=256"),
    *("curriculum.eval_freq=128", "curriculum.save_freq=128", "curriculum.eval_episodes=8"),
    *("curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0", "curriculum.warmup_timesteps=0"),
    *("ppo.n_steps=8", "ppo.batch_size=32", "ppo.n_epochs=2", "ppo.net_arch=[16, 16]", "ppo.target_kl=None"),
    *("ppo.log_std_end=None", "ppo.average_updates=1"),
    *("sac.train_freq=4", "sac.gradient_steps=2", "sac.batch_size=32", "sac.learning_starts=64", "sac.ent_coef=auto"),
    *("sac.buffer_size=1600", "sac.net_arch=[16, 16]"),
)


@pytest.fixture(scope="session")
def config() -> Callable[..., StageConfig]:
    """The tiny stage with more overrides."""
    return lambda *overrides, species="velociraptor", stage=1: load_stage(
        species, stage, parse_overrides([*TINY, *overrides])
    )


@pytest.fixture(scope="session")
def make(config: Callable[..., StageConfig]) -> Callable[..., tuple[BatchEnv, Any]]:
    """A fresh environment and a learner of an algorithm on it."""

    def build(
        algorithm: str,
        *overrides: str,
        seed: int = 0,
        warm_start: Policy | None = None,
        species: str = "velociraptor",
        stage: int = 1,
    ) -> tuple[BatchEnv, Any]:
        chosen = config(*overrides, species=species, stage=stage)
        learner: Any = find_kind("sb3", algorithm).make(get_species(species), chosen, seed, warm_start)
        return learner._env, learner

    return build


@pytest.fixture(scope="session")
def observations() -> Callable[[Policy], np.ndarray]:
    """Many observations of the size that a policy wants, some of them far out."""

    def draw(policy: Policy, count: int = 200) -> np.ndarray:
        scale = np.geomspace(0.1, 30.0, count)[:, None]
        return (scale * np.random.default_rng(0).normal(size=(count, policy.observation_size))).astype(np.float32)

    return draw
