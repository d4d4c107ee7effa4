"""A W&B server on loopback, a user who has nothing else, and a sweep that is over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.wandb_server import WandbServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    from support.wandb_server import WandbServer

    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    with WandbServer() as running:
        for name, value in running.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield running


TINY = (
    "stage.n_envs=8",
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.net_arch=[16, 16]",
    "curriculum.timesteps=128",
    "curriculum.eval_freq=128",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
)


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with six trials, copies of a real one with other values; the fourth is the best."""
    from mesozoic.run.spec import RunSpec
    from mesozoic.sweep.line import NoLine
    from mesozoic.sweep.run_trial import Trial, run_trial
    from mesozoic.sweep.space import overrides_of

    folder = tmp_path_factory.mktemp("sweep")
    trials = folder / "stage1"
    point: dict[str, Any] = {"ppo.learning_rate": 4e-4, "ppo.gamma": 0.91, "env.alive_bonus": 1.5}
    spec = RunSpec("velociraptor", 1, overrides=(*TINY, *overrides_of(point)))
    record = run_trial(Trial(spec, point), trials / "4", NoLine())
    for number in (1, 2, 3, 5, 6, 4):
        if number != 4:
            shutil.copytree(trials / "4", trials / str(number))
        record.point = {**point, "ppo.learning_rate": number * 1e-4, "ppo.gamma": 0.9 + number % 3 / 100}
        record.value = record.results[0]["value"] = 0.9 if number == 4 else 0.1 * number
        record.save(trials / str(number))
    return folder
