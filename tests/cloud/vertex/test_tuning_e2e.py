"""`mesozoic sweep launch-all --engine vertex`, begin to end: trials that train, machines and commands that vanish."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("gcsfs") is None or find_spec("gcp_storage_emulator") is None:
    pytest.skip("needs the extra [vertex] and gcp-storage-emulator", allow_module_level=True)

from support.mounted_bucket import mounted_bucket
from support.vertex_server import IMAGE, PROJECT, VertexServer

from mesozoic.learn.policy import load_policy
from mesozoic.sweep.trial_record import read_trial

pytestmark = pytest.mark.e2e

BUCKET = "fossils"
SPACE = {
    "timesteps": 512,
    "n_envs": 8,
    "trials": 2,
    "parallel": 2,
    "ppo_learning_rate": {"type": "double", "min": 1e-4, "max": 1e-3, "scale": "log"},
    "stage1": {
        "trials": 6,
        "ppo_n_epochs": {"type": "discrete", "values": [1, 2]},
        "ppo_net_arch": {"type": "categorical", "values": [[16, 16], [24, 24]]},
    },
}
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "curriculum.save_freq=128",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
    "curriculum.min_avg_reward=1e9",
    "curriculum.warmup_timesteps=0",
)


class Sweep:
    """The command, as often as it is started, and what it left."""

    def __init__(self, server: VertexServer, folder: Path) -> None:
        self.server, self.folder, self.log = server, folder, folder / "launch-all.log"
        self.bucket = server.gcs / BUCKET / "sweeps" / "velociraptor"

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        words = ["sweep", "launch-all", "--engine=vertex", "--species=velociraptor", "--search-space"]
        words += [json.dumps(SPACE), "--eval-freq=128", "--pruner=none", "--sampler=random", f"--project={PROJECT}"]
        words += [f"--bucket={BUCKET}", f"--image={IMAGE}", "--retry-after=1,1", "--yes", *more]
        words += [f"--override={text}" for text in TINY]
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "mesozoic", *words]
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)

    def said(self) -> str:
        return self.log.read_text()

    def state(self) -> dict[str, Any]:
        """What the state in the bucket says; nothing while it is being written, which objects never show."""
        found: dict[str, Any] = {"stages": []}
        with suppress(ValueError):
            found = json.loads((self.bucket / "_sweep_state.json").read_text())
        return found

    def until(self, what: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 600.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)


@pytest.fixture
def sweep(server: VertexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    with mounted_bucket(server.gcs, BUCKET) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Sweep(server, tmp_path)


@pytest.mark.slow
def test_three_stages_while_the_command_is_killed_and_a_machine_is_taken_away(sweep: Sweep) -> None:
    """Inside a stage and between two; each is submitted once, begins from the winner before, and the table is there."""
    first = sweep.start()
    sweep.until(lambda: sweep.server.jobs and len(sweep.server.job().proto.trials) >= 2, first)
    trial = sweep.bucket / "stage1" / "1"
    sweep.until(lambda: list(trial.glob("seed0/stage1/checkpoints/*.checkpoint")), first)
    first.kill()
    first.wait()
    sweep.server.preempt(trial="1")
    second = sweep.start()
    sweep.until(lambda: sweep.state()["stages"] and len(sweep.server.jobs) == 2, second)
    second.kill()
    second.wait()
    third = sweep.start()
    assert third.wait(1200) == 0, sweep.said()
    assert [one.state for one in sweep.server.jobs] == ["SUCCEEDED"] * 3
    assert [len(one.proto.trials) for one in sweep.server.jobs] == [6, 2, 2]
    state = sweep.state()
    assert [one["stage"] for one in state["stages"]] == [1, 2, 3] and state["job"] == {}
    assert json.loads((sweep.folder / "sweep_state_velociraptor_ppo.json").read_text()) == state
    for stage in (2, 3):
        before = state["stages"][stage - 2]
        record = read_trial(sweep.bucket / f"stage{stage}" / "1")
        assert record is not None and record.engine == "vertex" and record.state == "budget"
        policy = (
            f"/gcs/{BUCKET}/sweeps/velociraptor/stage{stage - 1}/{before['trial']}/models/stage{stage - 1}_final.zip"
        )
        assert str(record.spec["load"]) == sweep.server.local(policy)
        assert state["stages"][0]["net_arch"] in record.spec["overrides"]
    widths = load_policy(sweep.bucket / state["stages"][2]["policy"]).hidden
    assert state["stages"][0]["net_arch"] == f"ppo.net_arch={list(widths)}"
    taken = read_trial(trial)
    assert taken is not None and taken.state == "budget" and len({step for step, _ in taken.reports}) == 4
    assert "going on with tuning job mesozoic-velociraptor-stage1-" in sweep.said()
    for stage, count in ((1, 6), (2, 2), (3, 2)):
        assert len((sweep.bucket / f"_stage{stage}_results.csv").read_text().splitlines()) == count + 1
    done = subprocess.run(
        [sys.executable, "-m", "mesozoic", "sweep", "collect-results", f"gs://{BUCKET}/sweeps/velociraptor"],
        cwd=sweep.folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "10 results" in done.stdout, done.stdout + done.stderr
    assert len((sweep.folder / "collected_results.csv").read_text().splitlines()) == 11


def test_ctrl_c_leaves_the_job_and_says_so(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """And `mesozoic cloud down --all` sees it and ends it."""
    sweep.server.pending = 600.0
    process = sweep.start()
    sweep.until(lambda: "stage 1: pending, 0 of 6 trials over" in sweep.said(), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    assert "goes on at Vertex AI; run the same command to go on with it, or end it with: mesozoic" in sweep.said()
    (name,) = sweep.server.running()
    done = subprocess.run(
        [sys.executable, "-m", "mesozoic", "cloud", "down", name, "--yes"],
        env={**os.environ, "HOME": str(sweep.folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and sweep.server.running() == [], done.stdout + done.stderr
