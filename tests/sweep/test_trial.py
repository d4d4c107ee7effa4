"""A trial: what it reports and when, how each end of it is written down, and that it goes on where it was cut off."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tiny_trial import POINT, TINY

from mesozoic.config import parse_overrides
from mesozoic.errors import Interrupted, UserError
from mesozoic.run.spec import RunSpec
from mesozoic.species import load_stage
from mesozoic.sweep import objective
from mesozoic.sweep.line import LINE, TRIAL_ID, NoLine
from mesozoic.sweep.run_trial import Trial, _Running, run_trial
from mesozoic.sweep.space import Parameter, Range, overrides_of
from mesozoic.sweep.trial_record import TrialRecord, read_trial


class Told(NoLine):
    """An engine that remembers what it was told, and may answer one report with a reason to stop, or a signal."""

    engine, id = "told", "7"

    def __init__(self, stop_at: int = -1, kill_at: int = -1) -> None:
        self.reports: list[tuple[int, float]] = []
        self.ends: list[str] = []
        self._stop_at, self._kill_at = stop_at, kill_at

    def report(self, step: int, value: float) -> str | None:
        self.reports.append((step, value))
        if step == self._kill_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return "among the worst" if step == self._stop_at else None

    def ended(self, record: TrialRecord) -> None:
        self.ends.append(record.state)


def trial_of(point: dict[str, Any] = POINT, **changes: Any) -> Trial:
    return Trial(RunSpec("velociraptor", 1, overrides=(*TINY, *overrides_of(point))), point, **changes)


def test_a_trial_reports_every_evaluation_and_says_how_it_ended(tmp_path: Path) -> None:
    line = Told()
    record = run_trial(trial_of(), tmp_path, line)
    assert [step for step, _ in line.reports] == [128, 256, 384, 512, 512]
    assert (record.state, line.ends) == ("budget", ["budget"])
    assert record.value == line.reports[-1][1] == max(value for _, value in line.reports)
    assert read_trial(tmp_path) == record
    (result,) = record.results
    assert (result["seed"], result["timesteps"], result["stage_passed"]) == (0, 512, False)
    assert (tmp_path / "seed0" / "stage1" / "models" / "stage1_final.zip").is_file()


def test_several_seeds_are_one_trial_with_a_mean_and_a_lower_bound(tmp_path: Path) -> None:
    line = Told()
    record = run_trial(trial_of(seeds=2), tmp_path, line)
    assert [one["seed"] for one in record.results] == [0, 1]
    assert line.reports[-1] == (1024, record.value)
    values = [one["value"] for one in record.results]
    assert record.value == pytest.approx(sum(values) / 2)
    assert record.lower is not None and record.lower <= min(values)


def test_a_pruned_trial_ends_at_that_evaluation_and_keeps_its_checkpoint(tmp_path: Path) -> None:
    line = Told(stop_at=256)
    record = run_trial(trial_of(), tmp_path, line)
    assert (record.state, record.why) == ("pruned", "stopped: among the worst")
    assert line.reports[-1][0] == 256 and record.value == line.reports[-1][1]
    assert list((tmp_path / "seed0" / "stage1" / "checkpoints").iterdir())
    again = Told()
    assert run_trial(trial_of(), tmp_path, again).state == "pruned"
    assert again.reports == line.reports[-1:] and again.ends == ["pruned"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_trial_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path, seeds: int) -> None:
    whole = run_trial(trial_of(seeds=seeds), tmp_path / "whole", Told())
    cut = Told(kill_at=128 if seeds == 1 else 640)
    with pytest.raises(Interrupted):
        run_trial(trial_of(seeds=seeds), tmp_path / "cut", cut)
    found = read_trial(tmp_path / "cut")
    assert found is not None and (found.state, found.why) == ("pre-empted", "stopped by SIGTERM")
    assert cut.ends == ["pre-empted"]
    line = Told()
    record = run_trial(trial_of(seeds=seeds), tmp_path / "cut", line)
    assert (record.state, record.value, record.reports) == ("budget", whole.value, whole.reports)
    policy = Path(f"seed{seeds - 1}/stage1/models/stage1_final.zip")
    assert (tmp_path / "cut" / policy).read_bytes() == (tmp_path / "whole" / policy).read_bytes()


@pytest.mark.parametrize(("steps", "worth"), [(128, 1.75), (256, 1.5), (512, 1.0)])
def test_a_passed_gate_is_worth_more_the_sooner_it_came(tmp_path: Path, steps: int, worth: float) -> None:
    line = Told()
    record = trial_of().record(line)
    running = _Running(trial_of(), record, tmp_path, line, budget=512)
    for step in range(128, steps + 1, 128):
        running.evaluated(0, step, 1.0)
    names = ("score", "best_score", "best_step", "best_mean_reward", "best_mean_episode_length", "wall_seconds")
    running.seed_is_over(0, {"seed": 0, "stage_passed": True, "timesteps": steps, **dict.fromkeys(names, 1.0)})
    assert line.reports[-1] == (512, worth)
    assert all(value <= 1.0 for _, value in line.reports[:-1])
    assert objective.solved_value("best_mean_reward", 812.0, 100, 400) == 812.0


def test_a_trial_that_fails_says_why(tmp_path: Path) -> None:
    line = Told()
    trial = trial_of({"ppo.learning_rate": 1.0, "ppo.max_grad_norm": 1000.0, "env.alive_bonus": 1000.0})
    folder = tmp_path / "trial"
    (folder / "seed0" / "stage1" / "models").mkdir(parents=True)
    (folder / "seed0" / "stage1" / "models" / "best_model.zip").mkdir()  # where a file must be
    with pytest.raises(UserError, match="is no plain file"):
        run_trial(trial, folder, line)
    found = read_trial(folder)
    assert found is not None and found.state == "failed" and "is no plain file" in found.why
    assert line.ends == ["failed"]


def test_bad_input_writes_nothing_and_a_folder_of_another_trial_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ppo.gamma should be less than 1"):
        run_trial(trial_of({"ppo.gamma": 2.0}), tmp_path / "bad", Told())
    assert not (tmp_path / "bad").exists()
    with pytest.raises(UserError, match="seeds-per-trial 11 is out of range"):
        run_trial(trial_of(seeds=11), tmp_path / "bad", Told())
    older = trial_of().record(Told())
    del older.spec["physics"]  # written before there was a choice
    older.state = "pruned"
    older.save(tmp_path)
    assert run_trial(trial_of(), tmp_path, Told()).state == "pruned"
    with pytest.raises(UserError, match="holds another trial, whose point is"):
        run_trial(trial_of({"ppo.gamma": 0.9}), tmp_path, Told())
    (tmp_path / "trial.json").write_text("{")
    with pytest.raises(UserError, match=r"trial.json is damaged"):
        run_trial(trial_of(), tmp_path, Told())


@pytest.mark.parametrize(("task", "stage"), [("balance", 1), ("locomotion", 2), ("behaviour", 3)])
def test_the_score_of_a_task_knows_no_reward(task: str, stage: int) -> None:
    """Of the same behaviour, whatever it was paid."""
    figures = {"survival": 0.5, "avg_episode_length": 250.0, "score": 0.3, "avg_reward": 100.0}
    shipped = load_stage("velociraptor", stage)
    other = load_stage("velociraptor", stage, parse_overrides(["env.alive_bonus=900", "env.energy_penalty_weight=9"]))
    assert shipped.env.task == task
    expected = 0.75 * 0.5 + 0.25 * 0.5 if task == "balance" else 0.3
    for config, reward in ((shipped, 100.0), (other, 9e4)):
        assert objective.evaluation_value("score", {**figures, "avg_reward": reward}, config) == expected
    assert objective.evaluation_value("best_mean_reward", figures, shipped) == 100.0


def test_searched_reward_weights_take_the_reward_out_of_the_gate() -> None:
    weight, rate = Parameter("env.alive_bonus", Range(1, 5)), Parameter("ppo.learning_rate", Range(1e-5, 1e-3))
    assert objective.fixed_overrides("score", [rate]) == []
    assert objective.fixed_overrides("score", [rate, weight]) == ["curriculum.min_avg_reward=-1e9"]
    assert objective.warnings("score", [rate, weight]) == []
    (said,) = objective.warnings("best_mean_reward", [rate, weight])
    assert "depends on env.alive_bonus" in said
    assert "how hard the task is" in objective.warnings("score", [Parameter("env.push_velocity_max", Range(0, 1))])[0]


def test_the_lower_bound_is_students() -> None:
    assert objective.lower_bound([1.0]) is None
    assert objective.lower_bound([1.0, 2.0, 3.0]) == pytest.approx(2.0 - 2.920 / 3**0.5)
    assert len(objective.ONE_SIDED_95) == objective.MOST_SEEDS - 1


def start(folder: Path, *words: str, handle: int | None = None) -> subprocess.Popen[str]:
    """The command as an engine starts it."""
    fixed = [word for text in TINY for word in ("--override", text)]
    environment = {**os.environ} if handle is None else {**os.environ, LINE: str(handle), TRIAL_ID: "3"}
    return subprocess.Popen(
        [sys.executable, "-m", "mesozoic", "sweep", "trial", "--stage=1", *fixed, "--output-dir", str(folder), *words],
        env=environment,
        pass_fds=() if handle is None else (handle,),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.e2e
def test_every_spelling_is_the_same_trial(tmp_path: Path) -> None:
    """And what sweep services add is let go; the second and third call find the first one's trial."""
    for words in (
        ["--species=velociraptor", "--ppo_learning_rate", "1e-4", "--ppo_n_epochs=2.0", "--_wandb={}", "--_x", "5"],
        ["velociraptor", "--ppo.learning_rate=1e-4", "--ppo.n_epochs", "2.0"],
        ["ppo.learning_rate=1e-4", "ppo.n_epochs=2.0"],
    ):
        trial = start(tmp_path, *words)
        out, said = trial.communicate(timeout=300)
        assert trial.returncode == 0, said
        assert "trial did not pass its gate in 512 steps; score" in out
    found = read_trial(tmp_path)
    assert found is not None and found.point == POINT


@pytest.mark.e2e
def test_a_trial_finds_its_engine_in_its_environment_and_ends_when_that_is_gone(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    trial = start(tmp_path, "--timesteps=1e9", *(f"--{k}={v}" for k, v in POINT.items()), handle=theirs.fileno())
    theirs.close()
    said = ours.makefile("rw")
    first = json.loads(said.readline())
    assert first["step"] == 128
    assert json.loads((tmp_path / "3" / "trial.json").read_text())["id"] == "3"
    said.close()
    ours.close()
    assert trial.wait(120) == 128 + signal.SIGTERM
    found = read_trial(tmp_path / "3")
    assert found is not None and found.state == "pre-empted"
    assert list((tmp_path / "3" / "seed0" / "stage1" / "checkpoints").iterdir())
