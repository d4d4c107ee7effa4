"""A run that is killed or interrupted and started again ends byte for byte like one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesozoic.run.checkpoint import checkpoints, read_manifest

COMMAND = [
    *(
        sys.executable,
        "-m",
        "mesozoic",
        "train",
        "velociraptor",
        "--seed",
        "3",
        "--n-envs",
        "16",
        "--timesteps",
        "12288",
    ),
    *("--eval-freq", "4096", "--save-freq", "2048", "ppo.n_steps=16", "ppo.batch_size=128", "env.max_episode_steps=60"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0"),
]


def finish(folder: Path) -> dict[str, bytes]:
    """Run the command to its end; the files that must not depend on interruptions."""
    subprocess.run([*COMMAND, "--output-dir", str(folder)], check=True, capture_output=True, timeout=300)
    models = folder / "stage1" / "models"
    return {name: (models / name).read_bytes() for name in ("stage1_final.zip", "best_model.zip")}


def start_and_wait_for_checkpoint(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*COMMAND, "--output-dir", str(folder)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while not list((folder / "stage1" / "checkpoints").glob("step-*")):
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def curve(folder: Path) -> list[str]:
    """The training table without its timing column."""
    rows = (folder / "stage1" / "training.csv").read_text(encoding="utf-8").splitlines()
    timing = rows[0].split(",").index("stage1/time/steps_per_second")
    return [",".join(cell for i, cell in enumerate(row.split(",")) if i != timing) for row in rows]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, finish(folder)


def test_killed(uninterrupted: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    process = start_and_wait_for_checkpoint(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "stage1" / "metrics.json").exists()
    assert finish(tmp_path) == uninterrupted[1]
    assert sorted(curve(tmp_path)) == sorted(curve(uninterrupted[0]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted(number: int, uninterrupted: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    process = start_and_wait_for_checkpoint(tmp_path)
    os.kill(process.pid, number)
    assert process.wait(timeout=120) == 128 + number
    newest = checkpoints(tmp_path / "stage1" / "checkpoints")[-1]
    assert 2048 <= read_manifest(newest)["step"] < 12288
    assert finish(tmp_path) == uninterrupted[1]


def test_finished_run_is_reported_not_repeated(uninterrupted: tuple[Path, dict[str, bytes]]) -> None:
    folder, files = uninterrupted
    final = folder / "stage1" / "models" / "stage1_final.zip"
    before = final.stat().st_mtime_ns
    result = subprocess.run([*COMMAND, "--output-dir", str(folder), "--json"], check=True, capture_output=True)
    assert json.loads(result.stdout)["timesteps"] == 12288
    assert final.stat().st_mtime_ns == before
    assert files["stage1_final.zip"] == final.read_bytes()
