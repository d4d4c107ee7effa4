"""A trial of a tuning job: what it reports through hypertune, after a restart as well, and which failures end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tiny_trial import POINT, TINY

pytest.importorskip("hypertune", reason="needs the extra [vertex]")

from mesozoic.errors import Interrupted
from mesozoic.run.spec import RunSpec
from mesozoic.sweep import vertex_line
from mesozoic.sweep.run_trial import Trial, run_trial
from mesozoic.sweep.space import overrides_of
from mesozoic.sweep.trial_record import TrialRecord, read_trial
from mesozoic.sweep.vertex_line import MOST_STARTS, VertexLine, run_vertex_trial


def trial_of(point: dict[str, Any] = POINT) -> Trial:
    return Trial(RunSpec("velociraptor", 1, overrides=(*TINY, *overrides_of(point))), point)


class Machine:
    """Where the service starts the processes of a trial, and its file of measurements."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.said = folder / "trial", folder / "disk" / "output.metrics", list[str]()

    def line(self, kind: type[VertexLine] = VertexLine) -> VertexLine:
        return kind("3", "score")

    def run(self, trial: Trial | None = None, line: VertexLine | None = None) -> TrialRecord | None:
        return run_vertex_trial(trial or trial_of(), self.folder, line or self.line(), {}, self.said.append)

    def measured(self) -> list[tuple[int, float]]:
        """What the service reads; it sees the metric that the job's spec names and no other."""
        rows = [json.loads(line) for line in self.file.read_text().splitlines()]
        assert all(row["trial"] == "3" and isinstance(row["score"], str) for row in rows)
        return [(int(row["global_step"]), float(row["score"])) for row in rows]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    monkeypatch.setenv("CLOUD_ML_HP_METRIC_FILE", str(found.file))
    monkeypatch.setenv("CLOUD_ML_TRIAL_ID", "3")
    return found


class CutOff(VertexLine):
    """A machine that is taken away after the second report."""

    def report(self, step: int, value: float) -> str | None:
        super().report(step, value)
        if step == 256:
            os.kill(os.getpid(), signal.SIGTERM)
        return None


def test_every_evaluation_is_a_measurement_under_the_metric_of_the_spec(machine: Machine) -> None:
    record = machine.run()
    assert record is not None and (record.engine, record.id, record.state) == ("vertex", "3", "budget")
    assert machine.measured() == record.reports and record.reports[-1] == (512, record.value)
    for name in ("models/stage1_final.zip", "models/best_model.zip", "metrics.json", "stage_config.json"):
        assert (machine.folder / name).read_bytes()


def test_after_its_machine_was_taken_away_a_trial_reports_again_and_goes_on_to_the_same_end(
    machine: Machine, tmp_path: Path
) -> None:
    """The new machine has an empty disk, and hypertune empties its file even on the same one."""
    whole = run_trial(trial_of(), tmp_path / "whole", machine.line())
    machine.file.unlink()
    with pytest.raises(Interrupted):
        machine.run(line=machine.line(CutOff))
    assert machine.measured() == whole.reports[:2]
    machine.file.unlink()
    again = machine.run()
    assert again is not None and (again.state, again.value) == ("budget", whole.value)
    assert machine.measured() == whole.reports
    machine.file.unlink()
    assert machine.run() == again and machine.measured()[-1] == whole.reports[-1]  # over, and started once more


def test_a_failure_that_would_come_again_ends_the_trial_and_is_written_down(machine: Machine) -> None:
    assert machine.run(trial_of({"ppo.gamma": 2.0})) is None
    assert "starting it again would not help" in machine.said[0]
    found = read_trial(machine.folder)
    assert found is not None and found.state == "failed" and "ppo.gamma should be less than 1" in found.why
    assert not machine.file.exists()


def test_a_trial_that_is_killed_again_and_again_ends(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process dies before it can write anything down, as for lack of memory."""

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("mesozoic.sweep.run_trial.start", killed)
        for _ in range(MOST_STARTS):
            with pytest.raises(Killed):
                machine.run()
        assert machine.run() is None
    assert f"it was started {MOST_STARTS} times without getting further" in machine.said[0]


def test_machines_that_are_taken_away_are_no_failures(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("mesozoic.sweep.run_trial.start", taken)
        for _ in range(MOST_STARTS + 2):
            with pytest.raises(Interrupted):
                machine.run()
    found = read_trial(machine.folder)
    assert found is not None and (found.state, found.starts) == ("pre-empted", 0)


def test_a_folder_of_another_trial_is_left_as_it_is(machine: Machine) -> None:
    machine.run()
    before = (machine.folder / "trial.json").read_bytes()
    assert machine.run(trial_of({"ppo.gamma": 0.9})) is None
    assert "holds another trial, whose point is" in machine.said[0]
    assert (machine.folder / "trial.json").read_bytes() == before


def test_without_hypertune_the_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypertune", None)
    with pytest.raises(vertex_line.UserError, match="not installed here; type: pip install 'mesozoic"):
        vertex_line.vertex_line_of({"CLOUD_ML_TRIAL_ID": "1"}, "score")
    assert vertex_line.vertex_line_of({}, "score") is None


def test_what_a_passed_gate_is_worth_is_the_last_measurement(machine: Machine) -> None:
    """Also where it is passed at the last evaluation, which has been reported already."""
    line = machine.line()
    line.report(512, 0.9)
    line.report(512, 0.9)
    line.report(512, 1.0)
    line.report(640, float("nan"))
    assert machine.measured() == [(512, 0.9), (513, 1.0)]


@pytest.mark.e2e
def test_the_command_takes_the_floats_of_the_service_and_ends_well_where_a_restart_would_not_help(
    machine: Machine, tmp_path: Path
) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        fixed = [f"--override={text}" for text in TINY]
        line = [sys.executable, "-m", "mesozoic", "sweep", "trial", "--species=velociraptor", "--stage=1", *fixed]
        return subprocess.run([*line, f"--output-dir={tmp_path}", *words], capture_output=True, text=True, timeout=300)

    good = command("--ppo_learning_rate=0.0001", "--ppo_n_epochs=2.0", "--seed=1.0")
    assert good.returncode == 0, good.stderr
    record = read_trial(tmp_path / "3")
    assert record is not None and record.point == POINT and record.spec["seed"] == 1
    assert machine.measured() == record.reports
    bad = command("--ppo_learning_rate=0.0001", "--ppo_n_epochs=2.5")
    assert bad.returncode == 0 and "error: " in bad.stderr and "starting it again would not help" in bad.stderr
