"""`train --wandb` against servers with faults: it starts, ends and obeys SIGTERM as if nobody had asked for W&B."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_faults import AT_ONCE, LATER, FaultyWandbServer

from mesozoic.run.checkpoint import checkpoints

pytestmark = pytest.mark.slow  # each waits for a deadline of a minute

LATE = 70.0
"""Seconds that W&B may add to the start of a training, and to its end."""
OBEY = 60.0
"""Seconds from SIGTERM to the end: an evaluation that is under way, W&B's 8 s, the end of Python; 10 s if idle."""


def start(folder: Path, home: Path, timesteps: int, server: FaultyWandbServer | None) -> subprocess.Popen[str]:
    """A training; without a server, one without W&B."""
    home.mkdir()
    command = [
        *(sys.executable, "-m", "mesozoic", "train", "--timesteps", str(timesteps), "--n-envs", "32"),
        *("ppo.n_steps=16", "ppo.batch_size=512", "--output-dir", str(folder), *(["--wandb"] if server else [])),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= server.environment(home) if server else {}
    return subprocess.Popen(
        command, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@dataclass(frozen=True)
class Times:
    """Seconds from the configuration to the first row of metrics, and from the result to the end of the process."""

    start: float
    end: float


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Times:
    """What a training without W&B needs on this machine, whatever else that is busy with; it compiles for all."""
    folder = tmp_path_factory.mktemp("usual")
    process = start(folder / "run", folder / "home", 4096, None)
    try:
        return measured(process, folder / "run" / "stage1", 600.0, 300.0)
    finally:
        process.kill()


def measured(process: subprocess.Popen[str], stage: Path, start: float, end: float) -> Times:
    """Follow a training to its end; it fails here if its first row or its end is too late."""
    wait_for(process, (stage / "stage_config.json").exists, 200)
    began = time.monotonic()
    wait_for(process, lambda: len(rows(stage / "training.csv")) > 1, start)
    first = time.monotonic()
    wait_for(process, (stage / "metrics.json").exists, 600)
    over = time.monotonic()
    process.wait(end)
    return Times(first - began, time.monotonic() - over)


def wait_for(process: subprocess.Popen[str], ready: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)


@pytest.mark.parametrize("fault", [*AT_ONCE, *LATER])
def test_training_starts_and_ends_in_time(fault: str, tmp_path: Path, usual: Times) -> None:
    stage = tmp_path / "run" / "stage1"
    with FaultyWandbServer(fault) as server:
        process = start(tmp_path / "run", tmp_path / "home", 4096, server)
        try:
            measured(process, stage, LATE + usual.start, LATE + usual.end)
            said = process.communicate()[1]
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
        process = start(tmp_path / "run", tmp_path / "home", 50_000_000, server)
        try:
            wait_for(process, lambda: len(rows(stage / "training.csv")) > 1, 300)
            if fault == "freezes":
                wait_for(process, lambda: server.broken, 60)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=OBEY)
        finally:
            process.kill()
    assert process.returncode == 143, said
    assert checkpoints(stage / "checkpoints")
    assert "Traceback" not in said


def rows(table: Path) -> list[str]:
    return table.read_text(encoding="utf-8").splitlines() if table.exists() else []
