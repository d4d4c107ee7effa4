"""Real `wandb agent`s train a sweep that a loopback server hands out; what they log arrives there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

import yaml
from support.wandb_faults import FaultyWandbServer
from support.wandb_server import API_KEY, WandbServer

from mesozoic.run.sinks.wandb_process import descendants
from mesozoic.sweep.trial_record import TrialRecord, read_trial
from mesozoic.sweep.wandb_sweep import Sweep, create_sweep

pytestmark = pytest.mark.e2e

TINY = ["--timesteps=20000", "--n-envs=64"]
CHECKOUT = Path(__file__).parents[2]


QUICK = [
    *("--timesteps=1024", "--n-envs=8", "--eval-freq=256", "--override=env.max_episode_steps=20"),
    *("--override=curriculum.min_success_low=0", "--override=curriculum.min_avg_episode_length=0"),
    *("--override=ppo.n_steps=8", "--override=ppo.batch_size=32", "--override=curriculum.eval_episodes=8"),
]
LONG = [
    *("--timesteps=50000000", "--n-envs=64", "--eval-freq=20000"),
    "--override=curriculum.min_avg_reward=1e6",  # a fast machine passes the gate before the time is over
]


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


def trials_of(arguments: list[str], runs: int, **more: Any) -> Sweep:
    command = ["${env}", "mesozoic", "sweep", "trial", "velociraptor", *arguments, "${args}"]
    return sweep_of([], runs, command=command, **more)


def record_of(folder: Path, sweep: Sweep, run: str) -> TrialRecord:
    found = read_trial(folder / "mesozoic-runs" / f"sweep-{sweep.id}" / run)
    assert found is not None
    return found


def wait_until(condition: Callable[[], object], agent: subprocess.Popen[bytes], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert agent.poll() is None and time.monotonic() < end
        time.sleep(0.2)


def trial_of(agent: subprocess.Popen[bytes]) -> int:
    """The process of the trial: the grandchild that W&B's agent started."""
    for process in descendants(agent.pid):
        if "sweep\0trial" in Path(f"/proc/{process}/cmdline").read_text():
            return process
    raise AssertionError("no trial runs")


def start_agent(sweep: Sweep, output: Path, **environment: str) -> subprocess.Popen[bytes]:
    with output.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mesozoic.sweep.agent", sweep.path],
            cwd=CHECKOUT,
            env={**os.environ, "TMPDIR": str(output.parent), **environment},  # slots of its own
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@pytest.mark.slow
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
    assert "0 of 2 runs finished; FAILED: " in log.read_text() and "left no record" in log.read_text()


def test_trials_that_leave_no_record_are_failures_in_a_row_as_all_others(server: WandbServer, tmp_path: Path) -> None:
    """One rule counts failures; W&B's own one counts no others than the first runs."""
    log = tmp_path / "agent.log"
    agent = start_agent(trials_of(["--load=nowhere.zip"], runs=20), log, MAX_FAILURES="2")
    assert agent.wait(600) == 1
    assert "runs failed in a row, the last one because: left no record" in log.read_text()
    assert "mend that, then start the agent again" in log.read_text() and 2 <= len(server.runs) < 10


def test_runs_that_report_nothing_fail_the_agent(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    agent = start_agent(sweep_of(TINY, runs=1), log)
    assert agent.wait(1200) == 1
    assert "FAILED: " in log.read_text() and "left no record, and W&B calls it " in log.read_text()


@pytest.mark.parametrize("how", ["SIGTERM", pytest.param("MAX_HOURS", marks=pytest.mark.slow)])
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


def test_two_agents_share_the_trials_and_stop_at_the_cap(server: WandbServer, tmp_path: Path) -> None:
    sweep = trials_of(QUICK, runs=4)
    logs = [tmp_path / f"agent{i}.log" for i in range(2)]
    agents = [start_agent(sweep, log, SLOTS="2") for log in logs]
    assert [agent.wait(600) for agent in agents] == [0, 0], "\n".join(log.read_text() for log in logs)
    assert [run.state for run in server.runs.values()] == ["finished"] * 4
    assert server.sweeps[sweep.id].state == "FINISHED"
    assert {record_of(tmp_path, sweep, run).state for run in server.runs} <= {"budget", "passed"}
    late = tmp_path / "late.log"
    assert start_agent(sweep, late).wait(60) == 0 and "the sweep is finished, 4 runs" in late.read_text()


@pytest.mark.slow
def test_an_agent_counts_the_runs_itself(server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on handing out runs beyond `run_cap` gets no more than that many, and is told of the end."""
    sweep = trials_of(QUICK, runs=2)
    hand_out = server._commands

    def without_cap(sweep: Any, agent: str, alive: dict[str, bool]) -> Any:
        shown, sweep.config = sweep.config, sweep.config.replace("run_cap: 2", "run_cap: 99")
        try:
            return hand_out(sweep, agent, alive)
        finally:
            sweep.config = shown

    monkeypatch.setattr(server, "_commands", without_cap)
    log = tmp_path / "agent.log"
    assert start_agent(sweep, log).wait(600) == 0, log.read_text()
    assert [run.state for run in server.runs.values()] == ["finished"] * 2
    assert [sweep.state for sweep in server.sweeps.values()] == ["FINISHED"]


def test_trials_that_fail_one_after_the_other_end_the_agent(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    agent = start_agent(trials_of([*QUICK, "--load=nowhere.zip"], runs=9), log, MAX_FAILURES="2")
    assert agent.wait(600) == 1
    # That two have failed is seen when the third one begins, which is interrupted.
    assert 2 <= len(server.runs) <= 3
    assert "error: 2 runs failed in a row, the last one because: left no record" in log.read_text()
    assert "finished" not in {run.state for run in server.runs.values()}


def test_trials_that_are_killed_are_crashed_and_end_the_agent(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    sweep = trials_of(LONG, runs=9)
    agent = start_agent(sweep, log, MAX_FAILURES="2")
    for number in (1, 2):
        wait_until(lambda n=number: len(server.runs) == n and list(server.runs.values())[-1].history, agent)
        os.kill(trial_of(agent), signal.SIGKILL)
    assert agent.wait(300) == 1
    assert "error: 2 runs failed in a row, the last one because: killed" in log.read_text()
    states = [run.state for run in server.runs.values()]
    assert set(states[:2]) <= {"failed", "crashed"} and "finished" not in states, states


def test_a_trial_that_is_pre_empted_goes_on_at_the_next_agent(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    sweep = trials_of(LONG, runs=1)
    agent = start_agent(sweep, log)
    wait_until(lambda: any(run.history for run in server.runs.values()), agent)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(300) == 143, log.read_text()
    ((name, run),) = server.runs.items()
    assert run.state == "preempted" and "stopped early" in log.read_text()
    before = record_of(tmp_path, sweep, name)
    assert before.state == "pre-empted"
    rows = len(run.history)
    again = start_agent(sweep, tmp_path / "again.log")
    wait_until(lambda: len(run.history) > rows, again)
    assert run.state == "running"
    again.send_signal(signal.SIGTERM)
    assert again.wait(300) == 143
    assert list(server.runs) == [name] and run.state == "preempted"
    steps = [row["env_step"] for row in run.history]
    assert steps == sorted(steps)
    assert "going on from the checkpoint at" in (tmp_path / "again.log").read_text()


def test_a_trial_that_early_termination_stops_is_pruned_and_no_failure(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    sweep = trials_of(LONG, runs=1)
    agent = start_agent(sweep, log, MAX_FAILURES="1")
    wait_until(lambda: any(run.history for run in server.runs.values()), agent)
    (name,) = server.runs
    server.stopped.add(name)
    assert agent.wait(300) == 0, log.read_text()
    assert server.runs[name].state == "finished" and record_of(tmp_path, sweep, name).state == "pruned"


def test_a_sweep_that_is_cancelled_ends_its_agents(server: WandbServer, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    sweep = trials_of(LONG, runs=3)
    agent = start_agent(sweep, log)
    wait_until(lambda: any(run.history for run in server.runs.values()), agent)
    server.sweeps[sweep.id].state = "CANCELED"
    assert agent.wait(120) == 0, log.read_text()
    assert "the sweep was cancelled" in log.read_text()
    (run,) = server.runs.values()
    assert run.state in ("failed", "crashed", "running")


@pytest.mark.parametrize("killed", ["this agent", pytest.param("W&B's agent", marks=pytest.mark.slow)])
def test_a_trial_dies_with_its_agent(server: WandbServer, tmp_path: Path, killed: str) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent died")
    sweep = trials_of(LONG, runs=3)
    agent = start_agent(sweep, tmp_path / "agent.log")
    wait_until(lambda: any(run.history for run in server.runs.values()), agent)
    trial = trial_of(agent)
    if killed == "this agent":
        agent.kill()
    else:
        parent = int(Path(f"/proc/{trial}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
    for _ in range(300):
        if not Path(f"/proc/{trial}").exists() or ") Z" in Path(f"/proc/{trial}/stat").read_text():
            break
        time.sleep(0.2)
    else:
        raise AssertionError("the trial goes on although nobody waits for it")
    agent.wait(60)
    (name,) = server.runs
    assert record_of(tmp_path, sweep, name).state == "pre-empted"


@pytest.mark.parametrize(
    "fault", ["refused", *(pytest.param(how, marks=pytest.mark.slow) for how in ("hang", "garbage"))]
)
def test_an_agent_of_a_server_that_does_not_answer_is_refused(tmp_path: Path, fault: str) -> None:
    """In half a minute; `wandb agent` alone tries for a week."""
    with FaultyWandbServer(fault) as server:
        agent = start_agent(Sweep("c", "a", "b", ""), tmp_path / "agent.log", **server.environment(tmp_path))
        assert agent.wait(60) == 2
    assert "it does not answer; check the network" in (tmp_path / "agent.log").read_text()


@pytest.mark.slow
def test_an_agent_whose_server_falls_silent_ends_after_its_trial(tmp_path: Path) -> None:
    with FaultyWandbServer("freezes") as server:
        environment = {**os.environ, "TMPDIR": str(tmp_path), **server.environment(tmp_path)}
        command = ["${env}", "mesozoic", "sweep", "trial", "velociraptor", *QUICK, "${args}"]
        config = {"method": "random", "command": command, "parameters": {"ppo.n_epochs": {"values": [1, 2]}}}
        sweep_id = server._on_upsertsweep({"config": yaml.safe_dump(config), "projectName": "p"})
        name = sweep_id["upsertSweep"]["sweep"]["name"]
        program = (
            "import sys; from mesozoic.sweep import agent, wandb_agent; wandb_agent.SILENCE = 10.0;"
            f" sys.exit(agent.main(['dinosaurs/p/{name}']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "W&B does not answer; mend that, then start the agent again" in done.stdout
    (run,) = server.runs
    assert record_of(tmp_path, Sweep(name, "dinosaurs", "p", ""), run).state == "budget"
