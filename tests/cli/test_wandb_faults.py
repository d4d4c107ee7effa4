"""`train --wandb` against servers with faults: it starts, ends and obeys SIGTERM as if nobody had asked for W&B."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_faults import AT_ONCE, LATER, FaultyWandbServer

from mesozoic.run.checkpoint import checkpoints

pytestmark = pytest.mark.slow  # each waits for a deadline of a minute

START_SECONDS = END_SECONDS = 70.0
"""From the statue's figures to the first row of metrics; from the result to the end of the process."""


def start(folder: Path, server: FaultyWandbServer, home: Path, timesteps: int) -> subprocess.Popen[str]:
    home.mkdir()
    command = [
        *(sys.executable, "-m", "mesozoic", "train", "--wandb", "--timesteps", str(timesteps), "--n-envs", "32"),
        *("ppo.n_steps=16", "ppo.batch_size=512", "--output-dir", str(folder)),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= server.environment(home)
    return subprocess.Popen(
        command, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait_for(process: subprocess.Popen[str], ready: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)


@pytest.mark.parametrize("fault", [*AT_ONCE, *LATER])
def test_training_starts_and_ends_in_time(fault: str, tmp_path: Path) -> None:
    stage = tmp_path / "run" / "stage1"
    with FaultyWandbServer(fault) as server:
        process = start(tmp_path / "run", server, tmp_path / "home", timesteps=4096)
        try:
            wait_for(process, (stage / "stage_config.json").exists, 120)
            wait_for(process, lambda: len(rows(stage / "training.csv")) > 1, START_SECONDS)
            wait_for(process, (stage / "metrics.json").exists, 300)
            _, said = process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert server.broken
    assert said.count("warning:") == 1, said


@pytest.mark.parametrize("fault", ["refused", "hang", "500", "freezes"])
def test_sigterm_is_obeyed_throughout(fault: str, tmp_path: Path) -> None:
    stage = tmp_path / "run" / "stage1"
    with FaultyWandbServer(fault) as server:
        process = start(tmp_path / "run", server, tmp_path / "home", timesteps=50_000_000)
        try:
            wait_for(process, lambda: len(rows(stage / "training.csv")) > 1, 200)
            if fault == "freezes":
                wait_for(process, lambda: server.broken, 60)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 143, said
    assert checkpoints(stage / "checkpoints")
    assert "Traceback" not in said


def rows(table: Path) -> list[str]:
    return table.read_text(encoding="utf-8").splitlines() if table.exists() else []
