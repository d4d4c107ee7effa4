"""A Stable-Baselines3 run that is killed and started again ends byte for byte like one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

OVERRIDES = [
    *("env.max_episode_steps=40", "curriculum.eval_episodes=8", "curriculum.min_success_low=0.1"),
    *("curriculum.min_avg_episode_length=0", "ppo.n_steps=16", "ppo.batch_size=64", "ppo.net_arch=[16, 16]"),
    *("sac.net_arch=[16, 16]", "sac.train_freq=8", "sac.gradient_steps=2", "sac.batch_size=32"),
    *("sac.learning_starts=1500", "sac.buffer_size=4096"),
]


def command(algorithm: str, folder: Path) -> list[str]:
    """For SAC the first checkpoint comes before it learns, and later its buffer is full."""
    sizes = ("--timesteps", "8192", "--n-envs", "16", "--eval-freq", "3000", "--save-freq", "1024")
    train = [sys.executable, "-m", "mesozoic", "train", "velociraptor", "--seed", "3", *sizes]
    return [*train, "--backend", "sb3", "--algorithm", algorithm, *OVERRIDES, "--output-dir", str(folder)]


def finish(algorithm: str, folder: Path) -> dict[str, bytes]:
    """Run the command to its end; the files that must not depend on interruptions."""
    result = subprocess.run(command(algorithm, folder), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    models = folder / "stage1" / "models"
    found = {path.name: path.read_bytes() for path in sorted(models.iterdir())}
    beside = {"stage1_final_vecnormalize.pkl", "best_model_vecnormalize.pkl"}
    assert found.keys() == {"stage1_final.zip", "best_model.zip"} | beside
    return found


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_killed(algorithm: str, tmp_path: Path) -> None:
    uninterrupted = finish(algorithm, tmp_path / "uninterrupted")

    killed = tmp_path / "killed"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(algorithm, killed), **quiet)
    deadline = time.monotonic() + 200
    while not list((killed / "stage1" / "checkpoints").glob("step-*")):
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "stage1" / "metrics.json").exists()

    assert finish(algorithm, killed) == uninterrupted
