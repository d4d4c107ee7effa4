"""A job on two machines, here two processes on this one: they train together, and end together whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesozoic.run.checkpoint import checkpoints, load_state, newest

pytestmark = pytest.mark.e2e

SUPPORT = Path(__file__).parents[1] / "support"
PATIENCE = 400
STEPS = 128
"""Environment steps of one update."""
SETTINGS = (
    "ppo.n_steps=8 ppo.batch_size=32 ppo.n_epochs=2 ppo.net_arch=[16] env.max_episode_steps=12"
    " curriculum.min_avg_episode_length=0 curriculum.eval_episodes=64 curriculum.eval_freq=1000000"
    f" curriculum.save_freq={STEPS}"
)
QUICK_COMPILE = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
TOLERANCE = 1e-5
"""Of parameters after one update, between one machine and two."""


class Place:
    """Machines that see nothing of one another but the network: each has results of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def run(self, rank: int) -> Path:
        return self.folder / f"machine{rank}" / "x"

    def start(self, machines: int = 2, **variables: str) -> list[subprocess.Popen[str]]:
        started = [self._start(rank, machines, variables) for rank in range(machines)]
        self.processes += started
        return started

    def _start(self, rank: int, machines: int, variables: dict[str, str]) -> subprocess.Popen[str]:
        paths = os.pathsep.join([str(SUPPORT.parents[1]), str(SUPPORT.parent)])
        known = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
        environment = {
            **known,
            "PYTHONPATH": paths,
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": QUICK_COMPILE,
            "RESULTS": str(self.run(rank).parent),
            "RUN_NAME": "x",
            "STAGE": "1",
            "PHYSICS": "mjx-jax",
            "N_ENVS": "16",
            "OVERRIDES": SETTINGS,
            "JOB_ID": str(self.folder),
            "JOB_MACHINES": str(machines),
            "JOB_RANK": str(rank),
            "JOB_FIRST": "127.0.0.1",
            **variables,
        }
        log = (self.folder / f"log{rank}").open("w")
        command = [sys.executable, str(SUPPORT / "springy_job.py")]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)

    def ends(self, started: list[subprocess.Popen[str]]) -> list[int]:
        return [process.wait(PATIENCE) for process in started]

    def log(self, rank: int) -> str:
        return (self.folder / f"log{rank}").read_text()

    def wait_for_checkpoint(self, beyond: int = 0) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if any(saved.name > f"step-{beyond:012d}z" for saved in self.saved()):
                return
            assert all(process.poll() is None for process in self.processes), self.log(0) + self.log(1)
            time.sleep(0.05)
        raise AssertionError(f"no checkpoint: {self.log(0)}")

    def saved(self) -> list[Path]:
        return checkpoints(self.run(0) / "stage1" / "checkpoints")

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run(0) / "job.json").read_text())
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def training_of(process: subprocess.Popen[str]) -> int:
    """The training process of a job."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def arrays(tree: dict[str, Any], at: str = "") -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= arrays(value, f"{at}{name}/")
        elif isinstance(value, np.ndarray):
            found[f"{at}{name}"] = value
    return found


def learned(file: Path) -> dict[str, np.ndarray]:
    return arrays(load_state(file)["learner"])


def test_two_machines_learn_what_one_does_and_the_first_alone_writes(place: Place, tmp_path: Path) -> None:
    started = place.start(TIMESTEPS=str(2 * STEPS))
    assert place.ends(started) == [0, 0], place.log(0) + place.log(1)
    assert place.record()["state"] == "finished"
    assert not place.run(1).exists()
    assert json.loads((place.run(0) / "stage1" / "metrics.json").read_text())["devices"] == "2 x cpu"
    (tmp_path / "alone").mkdir()
    alone = Place(tmp_path / "alone")
    assert alone.ends(alone.start(machines=1, TIMESTEPS=str(2 * STEPS))) == [0], alone.log(0)
    ours, theirs = learned(place.saved()[0]), learned(alone.saved()[0])
    assert ours.keys() == theirs.keys()
    exact = [name for name in ours if name.endswith(("/episode", "/world", "task_state/step", "/push_velocity"))]
    assert len(exact) >= 5
    for name in exact:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    parameters = [name for name in ours if name.startswith("train/params")]
    assert parameters
    for name in parameters:
        np.testing.assert_allclose(ours[name], theirs[name], atol=TOLERANCE, err_msg=name)
    # What two machines began, one goes on with.
    moved = Place(place.folder)
    assert moved.ends(moved.start(machines=1, TIMESTEPS=str(3 * STEPS))) == [0], moved.log(0)
    assert "begun on 2 x cpu, now 1 x cpu" in moved.log(0)


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_signal_on_one_machine_is_a_checkpoint_and_the_end_of_all(place: Place, rank: int) -> None:
    started = place.start(TIMESTEPS="1000000")
    place.wait_for_checkpoint()
    started[rank].send_signal(signal.SIGTERM)
    codes = place.ends(started)
    assert codes == ([143, 69] if rank == 0 else [75, 143]), place.log(0) + place.log(1)
    assert place.record()["state"] == "stopped"
    assert newest(place.run(0) / "stage1" / "checkpoints") is not None
    assert ("machine 1 of this training was told to by SIGTERM" in place.log(0)) == (rank == 1)


@pytest.mark.slow
def test_machines_that_were_stopped_go_on_bit_for_bit(place: Place, tmp_path: Path) -> None:
    budget = str(300 * STEPS)
    started = place.start(TIMESTEPS=budget)
    place.wait_for_checkpoint()
    started[0].send_signal(signal.SIGTERM)
    assert place.ends(started) == [143, 69], place.log(0) + place.log(1)
    assert place.ends(place.start(TIMESTEPS=budget)) == [0, 0], place.log(0)
    assert "going on from the checkpoint" in place.log(0)
    (tmp_path / "whole").mkdir()
    whole = Place(tmp_path / "whole")
    assert whole.ends(whole.start(TIMESTEPS=budget)) == [0, 0], whole.log(0)
    ours, theirs = learned(place.saved()[-1]), learned(whole.saved()[-1])
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("rank", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_machine_that_vanishes_ends_the_others_soon_with_a_failure_to_be_tried_again(place: Place, rank: int) -> None:
    started = place.start(TIMESTEPS="1000000")
    place.wait_for_checkpoint()
    began = time.monotonic()
    os.kill(training_of(started[rank]), signal.SIGKILL)
    started[rank].kill()
    other = started[1 - rank]
    code = other.wait(PATIENCE)
    assert time.monotonic() - began < 100
    assert code == (75 if rank == 1 else 69), place.log(1 - rank)
    if rank == 1:
        assert "machine 1 of this training is gone" in place.log(0) or "another machine is gone" in place.log(0)
        assert "the same command goes on from the last checkpoint" in place.log(0)
        assert newest(place.run(0) / "stage1" / "checkpoints") is not None


def test_bad_input_on_all_machines_is_said_once_and_ends_all(place: Place) -> None:
    started = place.start(N_ENVS="17")
    assert place.ends(started) == [2, 2], place.log(0) + place.log(1)
    assert "17 worlds cannot be shared equally by 2 devices" in place.log(0)
    assert not place.run(0).exists() and not place.run(1).exists()


@pytest.mark.slow
def test_the_end_of_the_hours_ends_all(place: Place) -> None:
    """Where the service would rent other machines, no machine asks for that when the time that is paid for is over."""
    started = place.start(TIMESTEPS="1000000", MAX_HOURS="0.02", JOB_MOVES="3")
    assert place.ends(started) == [143, 69], place.log(0) + place.log(1)
    assert place.record()["state"] == "stopped" and place.saved()


def test_the_processor_engine_is_refused(place: Place) -> None:
    started = place.start(PHYSICS="native")
    assert place.ends(started) == [2, 2], place.log(0) + place.log(1)
    assert "physics 'native' simulates on one machine, and there are 2" in place.log(0)
