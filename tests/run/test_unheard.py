"""A training goes on although what it says cannot be written: its log lies on a disk that is full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mesozoic.run.display import Display
from mesozoic.run.unheard import quietly

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

TINY = ("env.max_episode_steps=50", "curriculum.eval_episodes=8", "curriculum.min_success_low=0.1")
TINY_PPO = ("ppo.n_steps=32", "ppo.batch_size=128", "curriculum.min_avg_episode_length=0")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_display_on_a_full_disk_raises_nothing(terminal: bool) -> None:
    with open("/dev/full", "w", buffering=1) as full:
        display = Display(Console(file=full, force_terminal=terminal))
        display.begin("trex", 100, 0)
        display.say("something")
        display.phase("training")
        display.trained(50, {"rollout/episode_length": 3.0}, 10.0)
        display.end()
        full_file = full.buffer.raw
        os.dup2(os.open(os.devnull, os.O_WRONLY), full_file.fileno())  # what it holds back has to go somewhere


def test_a_reader_that_has_left_ends_a_command_but_not_what_must_be_done_to_its_end() -> None:
    def say(line: str) -> None:
        raise BrokenPipeError

    quietly(say)("down with the machine")


@pytest.mark.e2e
def test_train_ends_well_with_a_log_on_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mesozoic", "train", "--timesteps", "512", "--n-envs", "8", *TINY, *TINY_PPO]
    with open("/dev/full", "w") as full:
        done = subprocess.run([*command, "--output-dir", "run"], cwd=tmp_path, stderr=full, stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    assert (tmp_path / "run" / "stage1" / "metrics.json").exists()


@pytest.mark.e2e
def test_a_job_ends_well_with_a_log_on_a_full_disk(tmp_path: Path) -> None:
    variables = {"TIMESTEPS": "512", "N_ENVS": "8", "STAGE": "1", "OVERRIDES": " ".join((*TINY, *TINY_PPO))}
    environment = {**os.environ, **variables, "RESULTS": str(tmp_path), "RUN_NAME": "x"}
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "mesozoic.job"], env=environment, stderr=full, stdout=full)
    assert done.returncode == 0
    assert (tmp_path / "x" / "stage1" / "metrics.json").exists()
