"""Real `wandb agent`s train a sweep that a loopback server hands out; what they log arrives there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_server import API_KEY, WandbServer

from mesozoic.sweep.wandb_sweep import Sweep, create_sweep

pytestmark = pytest.mark.e2e

TINY = ["--timesteps=20000", "--n-envs=64"]
CHECKOUT = Path(__file__).parents[2]


def sweep_of(arguments: list[str], runs: int, **more: Any) -> Sweep:
    config = {
        "method": "random",
        "run_cap": runs,
        "metric": {"name": "eval/score", "goal": "maximize"},
        "command": ["${env}", "mesozoic", "train", "velociraptor", *arguments, "${args}"],
        "parameters": {
            "ppo.learning_rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3},
            "ppo.n_epochs": {"values": [1, 2]},
        },
    }
    return create_sweep({**config, **more}, API_KEY, "mesozoic")


def start_agent(sweep: Sweep, output: Path, **environment: str) -> subprocess.Popen[bytes]:
    with output.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mesozoic.sweep.agent", sweep.path],
            cwd=CHECKOUT,
            env={**os.environ, "TMPDIR": str(output.parent), **environment},  # slots of its own
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def test_two_agents_train_three_runs(server: WandbServer, tmp_path: Path) -> None:
    sweep = sweep_of([*TINY, "--wandb"], runs=3)
    logs = [tmp_path / f"agent{i}.log" for i in range(2)]
    agents = [start_agent(sweep, log, SLOTS="2") for log in logs]
    assert [agent.wait(1800) for agent in agents] == [0, 0], "\n".join(log.read_text() for log in logs)
    runs = list(server.runs.values())
    assert [run.state for run in runs] == ["finished"] * 3
    assert {run.agent for run in runs} == {"agent-0", "agent-1"}
    assert server.sweeps[sweep.id].state == "FINISHED"
    for run in runs:
        scores = [row["eval/score"] for row in run.history if "eval/score" in row]
        assert scores and run.summary["eval/score"] == scores[-1]
        assert len(run.history) > 5
        folder = tmp_path / "mesozoic-runs" / f"sweep-{sweep.id}" / run.name / "stage1"
        config = (folder / "stage_config.json").read_text()
        assert f'"learning_rate": {run.parameters["ppo.learning_rate"]}' in config
        assert (folder / "metrics.json").exists()
    said = "\n".join(log.read_text() for log in logs)
    assert "agent 0: " in said and "agent 1: " in said and "FAILED" not in said


def test_runs_that_fail_fail_the_agent(server: WandbServer, tmp_path: Path) -> None:
    """`wandb agent` itself ends with 0 after this."""
    log = tmp_path / "agent.log"
    agent = start_agent(sweep_of(["--load=nowhere.zip", "--wandb"], runs=2), log)
    assert agent.wait(600) == 1
    assert "0 of 2 runs finished; FAILED: " in log.read_text() and "(exit 2)" in log.read_text()


def test_runs_that_report_nothing_fail_the_agent(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    agent = start_agent(sweep_of(TINY, runs=1), log)
    assert agent.wait(1200) == 1
    assert "(reported nothing to W&B)" in log.read_text()


@pytest.mark.parametrize("how", ["SIGTERM", "MAX_HOURS"])
def test_an_agent_that_is_stopped_leaves_a_checkpoint(server: WandbServer, tmp_path: Path, how: str) -> None:
    log = tmp_path / "agent.log"
    unsolvable = "--curriculum.min_avg_reward=1e6"  # a fast machine passes the gate before the time is over
    sweep = sweep_of(["--timesteps=50000000", "--n-envs=64", "--wandb", unsolvable], runs=4)
    agent = start_agent(sweep, log, MAX_HOURS="0.02" if how == "MAX_HOURS" else "")
    runs = tmp_path / "mesozoic-runs" / f"sweep-{sweep.id}"
    for _ in range(600):
        if any(run.history for run in server.runs.values()):
            break
        time.sleep(0.5)
    if how == "SIGTERM":
        agent.send_signal(signal.SIGTERM)
    assert agent.wait(900) == 143, log.read_text()
    assert f"stopping ({how})" in log.read_text() and "stopped early" in log.read_text()
    assert len(server.runs) == 1  # no run was begun after the stop
    assert list(runs.glob("*/stage1/checkpoints/step-*"))
