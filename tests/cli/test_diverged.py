"""A training whose numbers run away ends with one sentence, and leaves nothing that is not finite."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesozoic.cli.app import main
from mesozoic.learn.policy import load_policy
from mesozoic.run.checkpoint import checkpoints, load_state
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.task import Transition

WORLDS = 8
"""Of the training; evaluations have another number."""
COMMAND = [
    *("mesozoic", "train", "--timesteps", "6400", "--n-envs", str(WORLDS), "--eval-freq", "64", "--save-freq", "64"),
    *("ppo.n_steps=8", "ppo.batch_size=64", "ppo.n_epochs=4", "ppo.net_arch=[16,16]", "ppo.target_kl=None"),
    *("env.max_episode_steps=20", "curriculum.eval_episodes=4", "curriculum.min_success_low=0"),
    *("curriculum.min_success=0", "curriculum.min_avg_episode_length=0"),
]


def finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return not isinstance(value, np.ndarray) or value.dtype.kind != "f" or bool(np.isfinite(value).all())


def test_it_ends_with_a_sentence_and_what_is_left_is_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, calls = BatchEnv.step, []

    def step(*args: Any, **more: Any) -> Transition:
        """From the 21st step of the training on, a reward is infinite."""
        result = real(*args, **more)
        calls.append(args[0].n)
        bad = args[0].n == WORLDS and calls.count(WORLDS) > 20
        return result._replace(reward=np.full_like(result.reward, np.inf)) if bad else result

    monkeypatch.setattr(BatchEnv, "step", step)
    monkeypatch.setattr(sys, "argv", [*COMMAND, "--output-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "is not finite" in error and "learning rate" in error and "lower" in error and "nan)" not in error
    stage = tmp_path / "stage1"
    assert not (stage / "metrics.json").exists()
    assert checkpoints(stage / "checkpoints")
    for path in checkpoints(stage / "checkpoints"):
        assert finite(load_state(path)["learner"])
    for path in (stage / "models").glob("*.zip"):
        load_policy(path)  # refuses what is not finite
