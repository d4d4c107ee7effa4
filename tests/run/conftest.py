"""A stage that trains from begin to end in seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesozoic.config import parse_overrides
from mesozoic.learn.kinds import find_kind
from mesozoic.run.stage_spec import StageSpec
from mesozoic.species import load_stage

TINY = (
    "stage.n_envs=8",
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.n_epochs=2",
    "ppo.target_kl=None",
    "ppo.net_arch=[16, 16]",
    "curriculum.timesteps=256",
    "curriculum.eval_freq=128",
    "curriculum.save_freq=128",
    "curriculum.eval_episodes=8",
    "curriculum.required_consecutive=3",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
)


@pytest.fixture(scope="session")
def spec() -> Callable[..., StageSpec]:
    """A run of the tiny stage 1 with more overrides; `seed=...` and `load=...` change the rest."""

    def build(*overrides: str, **changes: object) -> StageSpec:
        config = load_stage("velociraptor", 1, parse_overrides([*TINY, *overrides]))
        values = {"species": "velociraptor", "seed": 0, "kind": find_kind("jax", "ppo"), "config": config}
        return StageSpec(**values | changes)  # type: ignore[arg-type]

    return build
