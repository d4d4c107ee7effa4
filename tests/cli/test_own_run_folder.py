"""`--load RUN --output-dir RUN` means the policy of the stage before, the second time as well."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mesozoic.cli.app import main

TINY = [
    *("--timesteps", "64", "--n-envs", "8", "ppo.n_steps=8", "ppo.batch_size=64", "ppo.n_epochs=1"),
    *("ppo.net_arch=[16,16]", "env.max_episode_steps=20", "curriculum.eval_episodes=4"),
    *("curriculum.min_success_low=0", "curriculum.min_success=0", "curriculum.min_avg_episode_length=0"),
]


def train(patch: pytest.MonkeyPatch, stage: int, folder: Path, *more: str) -> object:
    command = ["mesozoic", "train", "--stage", str(stage), *TINY, "--output-dir", str(folder), *more]
    patch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as done:
        main()
    return done.value.code


def test_the_second_time_is_like_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(monkeypatch, 1, tmp_path) in (0, None)
    load = ("--load", str(tmp_path))
    assert train(monkeypatch, 2, tmp_path, *load) in (0, None)
    policy, result = tmp_path / "stage2" / "models" / "stage2_final.zip", tmp_path / "stage2" / "metrics.json"
    before = policy.stat().st_mtime_ns
    assert train(monkeypatch, 2, tmp_path, *load) in (0, None)
    assert policy.stat().st_mtime_ns == before, "reported, not trained again"
    loaded = json.loads(result.read_text())["identity"]["load"]
    assert train(monkeypatch, 2, tmp_path, *load, "--no-resume") in (0, None)
    assert json.loads(result.read_text())["identity"]["load"] == loaded
    assert train(monkeypatch, 1, tmp_path, *load, "--no-resume") in (0, None), "an earlier try of the same stage"
    assert (tmp_path / "stage1.old1").is_dir()
