"""`scripts/train_all.py`: stopped with a signal its curricula stop too, and started again it finishes them."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesozoic.run.checkpoint import checkpoints, read_manifest
from mesozoic.run.folder import StageFolder

SCRIPT = Path(__file__).parent.parent / "scripts" / "train_all.py"
LONG = 8192
TINY = [
    *("stage.n_envs=16", "ppo.n_steps=16", "ppo.batch_size=128", "ppo.net_arch=[16,16]", "env.max_episode_steps=40"),
    *(f"1.curriculum.timesteps={LONG}", "2.curriculum.timesteps=512", "3.curriculum.timesteps=512"),
    *("curriculum.eval_freq=100000", "curriculum.save_freq=256", "curriculum.eval_episodes=4"),
    *("curriculum.min_avg_episode_length=0", "curriculum.min_success_low=0"),
    "ppo.gamma=0.98",  # alike in all stages, whose updates are then one program, compiled once
]

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="needs a checkout")


def command(output: Path, *more: str) -> list[str]:
    chosen = ["--species", "trex", "--seeds", "4", "--output", str(output)]
    return [sys.executable, str(SCRIPT), *chosen, *more, "--override", *TINY]


def test_stopped_and_started_again(tmp_path: Path) -> None:
    first = StageFolder(tmp_path / "trex-seed4", 1)
    with (tmp_path / "script.log").open("w") as log:
        script = subprocess.Popen(command(tmp_path), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 200
        while not checkpoints(first.checkpoints):
            assert script.poll() is None, (tmp_path / "script.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        script.send_signal(signal.SIGTERM)
        assert script.wait(timeout=100) == 130
    finally:
        script.kill()

    said = (tmp_path / "trex-seed4.log").read_text(encoding="utf-8")
    assert "stopped by SIGTERM" in said and "Traceback" not in said
    with first.locked():
        pass  # the curriculum holds this lock as long as it trains
    saved = checkpoints(first.checkpoints)[-1]
    assert 256 <= read_manifest(saved)["step"] < LONG
    assert not first.metrics.exists()
    assert (tmp_path / "script.log").read_text().splitlines() == [
        "trex seed 4: no stage is over yet; going on",
        "trex seed 4: no stage is over yet",
    ]

    again = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=400)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stderr == ""
    steps = {stage: json.loads(StageFolder(first.run, stage).metrics.read_text())["timesteps"] for stage in (1, 2, 3)}
    assert steps == {1: LONG, 2: 512, 3: 512}
    verdicts = ", ".join(f"stage {stage} NOT passed at {count:,} steps" for stage, count in steps.items())
    assert again.stdout.splitlines() == ["trex seed 4: no stage is over yet; going on", f"trex seed 4: {verdicts}"]
    assert f"going on from the checkpoint at {read_step(said):,} steps" in (tmp_path / "trex-seed4.log").read_text()
    rows = list(csv.DictReader((first.run / "collected_results.csv").open(encoding="utf-8")))
    assert [(row["species"], row["seed"], row["stage"]) for row in rows] == [("trex", "4", s) for s in "123"]


def read_step(log: str) -> int:
    """The step of the checkpoint that an interrupted training says it wrote."""
    (line,) = [line for line in log.splitlines() if line.startswith("checkpoint at ")]
    return int(line.split()[2].replace(",", ""))


def test_a_curriculum_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    done = subprocess.run([*command(tmp_path, "--jobs", "2"), "ppo.gama=1"], capture_output=True, text=True)
    assert done.returncode == 1
    log = tmp_path / "trex-seed4.log"
    assert done.stderr == f"trex seed 4: exit code 2, see {log}\n"
    assert "did you mean 'ppo.gamma'" in log.read_text()
    assert not (tmp_path / "trex-seed4").exists()
