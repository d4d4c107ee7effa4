"""A disk that fills at some moment of a training: the training ends with one sentence, and never waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.skipif(not sys.platform.startswith("linux") or os.getuid() != 0, reason="mounts a small disk"),
]

SMALL = ("--timesteps", "20000", "--n-envs", "32", "ppo.n_steps=16", "ppo.batch_size=512")
OFTEN = ("curriculum.eval_freq=4096", "curriculum.save_freq=4096", "env.max_episode_steps=50")
EASY = ("curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes an empty disk of that many kB."""
    at = tmp_path / "disk"
    at.mkdir()

    def make(size: int) -> Path:
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(at)], capture_output=True)
        if made.returncode:
            pytest.skip("may not mount")
        return at

    yield make
    with suppress(OSError):
        subprocess.run(["umount", "--lazy", str(at)], capture_output=True)


@pytest.mark.parametrize("size", [12, 60, 250, 500])
def test_a_disk_that_fills_ends_a_training_in_one_sentence(disk: Callable[[int], Path], size: int) -> None:
    command = [
        sys.executable,
        "-m",
        "mesozoic",
        "train",
        *SMALL,
        *OFTEN,
        *EASY,
        "--output-dir",
        str(disk(size) / "run"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and "Exception in thread" not in done.stderr, done.stderr
    assert done.stderr.count("error:") == 1 and "No space left on device" in done.stderr.splitlines()[-1]
