"""`mesozoic eval --gait`: the table, the footfall diagram and valid JSON."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesozoic import task
from mesozoic.cli.app import main
from mesozoic.learn.policy import Policy
from mesozoic.run.evaluation import without_nan
from mesozoic.species.anatomy import Anatomy

SHORT = ["--override", "env.max_episode_steps=80", "--override", "curriculum.min_avg_episode_length=0"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the command line, run in this process."""
    monkeypatch.setattr(sys, "argv", ["mesozoic", "eval", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def policy(anatomy: Anatomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`policy(stage)`: the file of a policy that stands still, in a folder that is no run folder."""
    monkeypatch.chdir(tmp_path)

    def write(stage: int) -> str:
        size = task.observation_size(anatomy)
        arrays = {
            "norm/mean": np.zeros(size, np.float32),
            "norm/std": np.ones(size, np.float32),
            "actor/0/kernel": np.zeros((size, anatomy.nu), np.float32),
            "actor/0/bias": np.zeros(anatomy.nu, np.float32),
        }
        path = tmp_path / "policies" / "still.zip"
        path.parent.mkdir()
        path.write_bytes(Policy(anatomy.name, stage, task.layout_of(anatomy), "elu", arrays).to_bytes())
        return str(path)

    return write


def test_prints_the_table_and_draws_beside_the_caller(
    policy: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, policy(2), "--gait", *SHORT) == 0
    output = capsys.readouterr().out
    for phrase in ("Froude number", "duty factor left"):
        assert phrase in output
    assert output.index("success") < output.index("survival")
    assert "nan" not in output
    assert output.strip().endswith("footfalls footfalls-velociraptor-stage2.png")
    assert (tmp_path / "footfalls-velociraptor-stage2.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_valid_and_alone_on_stdout(
    policy: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, policy(2), "--json", "--footfalls", "feet.png", *SHORT) == 0
    output = capsys.readouterr()

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    figures = json.loads(output.out, parse_constant=refuse)
    assert figures["policy"]["gait/flight"] == 0.0
    assert figures["policy"].get("gait/stride_length") is None  # a statue has none
    assert figures["policy"]["success"] == 0.0
    assert "feet.png" in output.err
    assert (tmp_path / "feet.png").is_file()


def test_figures_that_do_not_exist_are_null() -> None:
    figures = {"a": math.nan, "b": [math.inf, {"c": -math.inf}], "d": 1.5, "e": True, "f": "nan", "g": 3}
    assert without_nan(figures) == {"a": None, "b": [None, {"c": None}], "d": 1.5, "e": True, "f": "nan", "g": 3}


def test_draws_beside_a_policy_of_a_run(
    policy: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    models = tmp_path / "run" / "stage2" / "models"
    models.mkdir(parents=True)
    Path(policy(2)).rename(models / "stage2_final.zip")
    from mesozoic.species import load_stage

    config = load_stage("velociraptor", 2).model_dump(mode="json")
    (models.parent / "stage_config.json").write_text(json.dumps({"config": config}))
    assert run(monkeypatch, str(tmp_path / "run"), "--gait", *SHORT) == 0
    assert sorted(path.suffix for path in models.iterdir()) == [".png", ".zip"]
    assert not list(tmp_path.glob("*.png"))


def test_balance_has_no_gait(
    policy: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = policy(1)
    assert run(monkeypatch, file, "--gait", *SHORT) == 2
    error = capsys.readouterr().err
    assert error == "error: stage 1 of velociraptor has no locomotion to measure; leave out --gait and --footfalls\n"
    assert not list(tmp_path.glob("*.png"))
    assert run(monkeypatch, file, *SHORT) == 0
    assert "success" not in capsys.readouterr().out.split("gate:")[0]


def test_the_diagram_is_a_png(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "none.zip", "--footfalls", "feet.pdf") == 2
    assert "does not end in .png" in capsys.readouterr().err
