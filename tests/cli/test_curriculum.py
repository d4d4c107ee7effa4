"""The whole curriculum as a user runs it: killed in every stage it ends byte for byte as if it had not been."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [
    *(sys.executable, "-m", "mesozoic", "curriculum", "trex", "--seed", "3", "--n-envs", "16", "--timesteps", "4096"),
    *("--eval-freq", "4096", "--save-freq", "512", "ppo.n_steps=16", "ppo.batch_size=128", "env.max_episode_steps=40"),
    *("curriculum.eval_episodes=4", "curriculum.min_avg_episode_length=0"),
    *("curriculum.min_success=0", "curriculum.min_success_low=0", "1.curriculum.warmup_timesteps=1024"),
    *("2.curriculum.ramp_timesteps=2048", "env.friction_range=[0.8,1.2]", "ppo.gamma=0.98"),
]
STAGES = (1, 2, 3)


def models(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.glob("stage?/models/*.zip"))}


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *more, "--output-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    result = run(folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_killed_in_every_stage(uninterrupted: Path, tmp_path: Path) -> None:
    for stage in STAGES:
        process = subprocess.Popen(
            [*COMMAND, "--output-dir", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 300
        while not list((tmp_path / f"stage{stage}" / "checkpoints").glob("step-*")):
            assert process.poll() is None, "it ended before the checkpoint"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / f"stage{stage}" / "metrics.json").exists()
    assert run(tmp_path).returncode == 0
    whole, parts = models(uninterrupted), models(tmp_path)
    assert (
        list(whole)
        == list(parts)
        == [f"stage{s}/models/{n}.zip" for s in STAGES for n in ("best_model", f"stage{s}_final")]
    )
    assert whole == parts


def test_results_are_written_for_machines(uninterrupted: Path) -> None:
    rows = list(csv.DictReader((uninterrupted / "collected_results.csv").open(encoding="utf-8")))
    assert [(row["species"], row["stage"], row["seed"]) for row in rows] == [("trex", str(s), "3") for s in STAGES]
    for row in rows:
        result = json.loads((uninterrupted / f"stage{row['stage']}" / "metrics.json").read_text(encoding="utf-8"))
        assert row["stage_passed"] == str(result["stage_passed"])
        assert float(row["success"]) == result["evaluation"]["success"]


def test_a_stage_begins_with_the_policy_of_the_one_before(uninterrupted: Path) -> None:
    loads = [
        json.loads((uninterrupted / f"stage{stage}" / "metrics.json").read_text(encoding="utf-8"))["identity"]["load"]
        for stage in STAGES
    ]
    assert loads[0] is None
    assert len(set(loads)) == 3


def test_run_again_it_only_reports(uninterrupted: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.glob("stage?/**/*.zip")}
    result = run(uninterrupted, "--json")
    assert [one["stage"] for one in json.loads(result.stdout)] == list(STAGES)
    assert {path: path.stat().st_mtime_ns for path in uninterrupted.glob("stage?/**/*.zip")} == before


def test_strict_stops_at_a_stage_that_is_not_passed(tmp_path: Path) -> None:
    result = run(tmp_path, "--strict", "--target", "2", "--timesteps", "512", "curriculum.min_success=1.0")
    assert result.returncode == 1, result.stderr
    assert "NOT passed" in result.stdout
    assert not (tmp_path / "stage2").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "4"), "no stage 4"),
        (("2.ppo.net_arch=[32]",), "net_arch"),
        (("3.curriculum.min_success_low=0.99",), "min_success_low"),
        (("2.env.gait_offsets=[0.0,0.3]",), "half a stride"),
        (("2.env.gait_offsets=[0.0,0.5,0.0,0.5]",), "feet"),
    ],
)
def test_a_mistake_in_any_stage_is_found_before_the_first_begins(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    result = run(tmp_path / "run", *arguments)
    assert result.returncode == 2
    assert words in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
