"""`python -m mesozoic.job` as a rented machine runs it: real trainings that end, are stopped, killed, and go on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mesozoic.run.checkpoint import checkpoints, read_manifest

SMALL = "ppo.n_steps=16 ppo.batch_size=512 ppo.net_arch=[16, 16] curriculum.eval_episodes=8 env.max_episode_steps=100"
GATE = "curriculum.min_success_low=0.1 curriculum.min_avg_episode_length=0"
LONG = {"STAGE": "1", "TIMESTEPS": "400000", "OVERRIDES": f"{SMALL} {GATE} curriculum.save_freq=2048"}
PATIENCE = 600


class Place:
    """A machine's disk with one run folder on it."""

    def __init__(self, folder: Path) -> None:
        self.results, self.run = folder, folder / "run"

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "SKYPILOT_"))}
        small = {"TIMESTEPS": "1024", "N_ENVS": "32", "OVERRIDES": f"{SMALL} {GATE}"}
        return {**kept, **small, "RESULTS": str(self.results), "RUN_NAME": "run", **variables}

    def start(self, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mesozoic.job"],
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def job(self, **variables: str) -> tuple[int, str]:
        process = self.start(**variables)
        out = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, out

    def saved(self, stage: int = 1) -> list[Path]:
        return checkpoints(self.run / f"stage{stage}" / "checkpoints")

    def wait_for_checkpoint(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.saved():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.05)

    def record(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.run / "job.json").read_text(encoding="utf-8"))
        return loaded


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SPECIES": "dog"}, "unknown species 'dog'"),
        ({"STAGE": "9"}, "has no stage 9"),
        ({"BACKEND": "jaxx"}, "unknown backend 'jaxx'"),
        ({"OVERRIDES": "ppo.gama=1"}, "did you mean 'ppo.gamma'"),
        ({"OVERRIDES": "ppo.net_arch=[64, 64"}, "never closed"),
        ({"N_ENVS": "63", "OVERRIDES": "ppo.n_steps=16 ppo.batch_size=500"}, "does not divide"),
        ({"SEED": "99999999999"}, "out of range"),
        ({"MAX_HOURS": "two"}, "MAX_HOURS=two"),
        ({"STAGE": "1", "LOAD": "nowhere.zip"}, "LOAD=nowhere.zip is neither in"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    place: Place, variables: dict[str, str], sentence: str
) -> None:
    code, out = place.job(**{"STAGE": "1", **variables})
    errors = [line for line in out.splitlines() if not line.startswith("job: ")]
    assert code == 2 and len(errors) == 1 and errors[0].startswith("error: ") and sentence in errors[0], out
    assert list(place.results.iterdir()) == []


def with_a_gpu(folder: Path) -> dict[str, str]:
    """Variables of a machine whose driver lists a GPU that JAX cannot use."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A10 (UUID: GPU-1)'\n")
    tool.chmod(0o755)
    return {"PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}", "JAX_PLATFORMS": ""}


@pytest.mark.parametrize("listed", [True, False])
def test_warp_by_name_is_refused_on_a_machine_whose_gpu_cannot_be_used(
    place: Place, tmp_path: Path, listed: bool
) -> None:
    place.results = tmp_path / "results"
    variables = with_a_gpu(tmp_path) if listed else {"JAX_PLATFORMS": "cpu"}
    code, out = place.job(STAGE="1", PHYSICS="mjx-warp", **variables)
    (error,) = [line for line in out.splitlines() if line.startswith("error: ")]
    assert code == 2 and "PHYSICS=mjx-warp simulates on an NVIDIA GPU" in error and "PHYSICS=native" in error, out
    assert ("NVIDIA A10 here cannot be used (" if listed else "this machine has none") in error
    assert not place.results.exists()


@pytest.mark.e2e
def test_auto_says_and_records_that_the_gpu_cannot_be_used(place: Place, tmp_path: Path) -> None:
    """It goes on with the processor, as what was asked for is a trained animal."""
    code, out = place.job(STAGE="1", PHYSICS="auto", **with_a_gpu(tmp_path))
    assert code == 0, out
    (said,) = [line for line in out.splitlines() if line.startswith("warning: physics auto is native")]
    record = place.record()
    assert "NVIDIA A10 cannot be used (" in said and said == f"warning: {record['warnings'][0]}"
    assert [stage["physics"] for stage in record["stages"]] == ["native"]


@pytest.mark.e2e
def test_all_stages_are_trained_and_told_to_programs(place: Place) -> None:
    code, out = place.job(SPECIES="trex")
    assert code == 0, out
    record = place.record()
    assert (record["state"], record["exit_code"]) == ("finished", 0)
    assert [stage["stage_name"] for stage in record["stages"]] == ["balance", "locomotion", "bite"]
    for stage in record["stages"]:
        assert Path(stage["final_policy"]).is_file() and stage["timesteps"] == 1024
    rows = list(csv.DictReader((place.run / "collected_results.csv").open()))
    assert [row["stage"] for row in rows] == ["1", "2", "3"]
    assert f"job: files go to {place.run}" in out and "collected_results.csv" in out
    again, out = place.job(SPECIES="trex")
    assert again == 0 and "steps at most" not in out  # only reported


@pytest.mark.e2e
def test_a_later_job_begins_from_an_earlier_ones_policy(place: Place) -> None:
    assert place.job(STAGE="1", RUN_NAME="first")[0] == 0
    code, out = place.job(STAGE="2", LOAD="first")
    assert code == 0, out
    identity = json.loads((place.run / "stage2" / "metrics.json").read_text())["identity"]
    assert identity["load"] is not None


@pytest.mark.e2e
def test_a_machine_that_vanishes_costs_no_more_than_the_steps_since_the_last_checkpoint(place: Place) -> None:
    """And the policy is the one of a training that nobody killed, bit for bit."""
    long = {**LONG, "TIMESTEPS": "12288"}
    process = place.start(**long)
    place.wait_for_checkpoint(process)
    process.kill()
    process.communicate()
    code, out = place.job(**long)
    assert code == 0 and "going on from the checkpoint at" in out, out
    other = Place(place.results / "other")
    assert other.job(**long)[0] == 0
    file = Path("stage1/models/stage1_final.zip")
    assert (place.run / file).read_bytes() == (other.run / file).read_bytes()


@pytest.mark.e2e
def test_the_end_of_its_hours_is_a_checkpoint_and_the_same_job_goes_on(place: Place) -> None:
    code, out = place.job(**LONG, MAX_HOURS=f"{8 / 3600:.6f}")
    assert code == 75, out
    step = read_manifest(place.saved()[-1])["step"]
    assert 0 < step < 400000
    assert place.record()["state"] == "stopped" and "MAX_HOURS is over" in out
    process = place.start(**LONG)
    out = ""
    assert process.stdout is not None
    for line in process.stdout:
        if "going on from the checkpoint" in line:
            out = line
            break
    assert f"{step:,} steps" in out
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert read_manifest(place.saved()[-1])["step"] >= step


@pytest.mark.e2e
@pytest.mark.parametrize(("managed", "code"), [({}, 143), ({"JOB_ID": "sky-1", "JOB_MOVES": "3"}, 75)])
def test_a_machine_that_is_taken_away_leaves_a_checkpoint(place: Place, managed: dict[str, str], code: int) -> None:
    process = place.start(**LONG, **managed)
    place.wait_for_checkpoint(process)
    process.send_signal(signal.SIGTERM)
    out = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == code, out
    assert place.record()["state"] == "stopped" and place.record()["exit_code"] == code


@pytest.mark.e2e
def test_two_jobs_for_one_folder(place: Place) -> None:
    process = place.start(**LONG)
    place.wait_for_checkpoint(process)
    began = place.record()
    code, out = place.job(**LONG)
    assert code == 2 and "another process is training" in out and "--env RUN_NAME" in out
    assert place.record()["seconds"] >= began["seconds"] and place.record()["state"] == "running"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143


@pytest.mark.e2e
def test_a_job_that_is_run_again_goes_on_with_its_wandb_run(place: Place, tmp_path: Path) -> None:
    """Also on an empty disk, as after the loss of a machine without a bucket: the name of the job decides."""
    pytest.importorskip("wandb", reason="needs the extra [sweep]")
    from support.wandb_server import WandbServer

    with WandbServer() as server:
        there = {**server.environment(), "JOB_ID": "sky-managed-7", "WANDB_RUN_ID": "", "WANDB_PROJECT": ""}
        process = place.start(**LONG, **there)
        deadline = time.monotonic() + PATIENCE
        while not any(run.history for run in server.runs.values()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 143
        (first,) = server.runs
        other = Place(tmp_path / "other disk")
        assert other.job(STAGE="1", **there)[0] == 0
        assert set(server.runs) == {first}
        assert other.job(STAGE="1", **{**there, "JOB_ID": "sky-managed-8", "RUN_NAME": "another"})[0] == 0
    assert len(server.runs) == 2 and server.runs[first].state == "finished"
