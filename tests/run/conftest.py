"""A stage that trains from begin to end in seconds, one that is over, and a way to look on while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.stage_runs import Done, MakeSpec

from mesozoic.config import parse_overrides
from mesozoic.learn.kinds import LearnerKind, find_kind
from mesozoic.run.folder import StageFolder
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.train_stage import train_stage
from mesozoic.sim.batch_env import BatchEnv
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


@pytest.fixture(scope="session")
def done(spec: MakeSpec, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A finished run, its result, and whether its configuration was on disk when the first step was taken."""
    run = tmp_path_factory.mktemp("run")
    folder = StageFolder(run, 1)
    was_there: list[bool] = []
    real = BatchEnv.step

    def step(*args: Any) -> Any:
        if not was_there:
            was_there.append(folder.config.exists())
        return real(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchEnv, "step", step)
        result = train_stage(spec(), run)
    return folder, result, was_there


@pytest.fixture
def after_updates(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a function called with the learner after each of its updates."""
    real = LearnerKind.make

    def install(then: Callable[[Any], None]) -> None:
        def make(*args: Any) -> Any:
            learner = real(*args)
            learn = learner.learn

            def learn_then(*args: Any) -> Any:
                metrics = learn(*args)
                then(learner)
                return metrics

            learner.learn = learn_then  # type: ignore[method-assign]
            return learner

        monkeypatch.setattr(LearnerKind, "make", make)

    return install
