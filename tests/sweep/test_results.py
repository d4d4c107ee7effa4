"""What a sweep found: one table whatever the layout, pictures, and a winner that is evaluated anew."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mesozoic.cli.app import main
from mesozoic.config import parse_overrides
from mesozoic.errors import UserError
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec
from mesozoic.species import load_stage
from mesozoic.sweep.best import best_trial, curriculum_command, find_winner, settings_of
from mesozoic.sweep.line import NoLine
from mesozoic.sweep.results import collect, hyperparameters, write_table
from mesozoic.sweep.results_plot import importance
from mesozoic.sweep.run_trial import Trial
from mesozoic.sweep.space import overrides_of
from mesozoic.sweep.sweep_folder import SweepFolder


def table_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out + captured.err


def test_one_row_for_each_trial_with_what_was_searched(swept: Path, tmp_path: Path) -> None:
    rows = collect(str(swept))
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert hyperparameters(rows) == ["ppo.gamma", "ppo.learning_rate"]
    write_table(rows, tmp_path / "new" / "table.csv")
    found = table_of(tmp_path / "new" / "table.csv")
    assert [float(row["ppo.learning_rate"]) for row in found] == pytest.approx([n * 1e-4 for n in range(1, 7)])
    assert {row["stage_passed"] for row in found} == {"False"} and {row["state"] for row in found} == {"budget"}
    assert all(float(row["best_mean_reward"]) > 0 and int(float(row["timesteps"])) == 128 for row in found)


def test_every_layout_is_read(swept: Path, tmp_path: Path) -> None:
    """Trials of earlier systems, a curriculum, and runs side by side."""
    run_folder = swept / "stage1" / "1" / "seed0"
    for place in ("earlier/stage1/7", "side/abc", "side/def"):
        target = tmp_path / place
        shutil.copytree(run_folder / "stage1" if place.startswith("earlier") else run_folder, target)
    (earlier,) = collect(str(tmp_path / "earlier"))
    assert (earlier["trial"], earlier["stage"], earlier["stage_passed"]) == ("7", 1, False)
    assert [row["trial"] for row in collect(str(tmp_path / "side"))] == ["abc", "def"]
    (alone,) = collect(str(run_folder))
    assert (alone["trial"], alone["algorithm"], alone["curriculum.min_success_low"]) == ("", "ppo", 0.0)
    with pytest.raises(UserError, match=r"there are no results below"):
        collect(str(swept), stages=[2])
    with pytest.raises(UserError, match="is no folder"):
        collect(str(tmp_path / "nowhere"))


def test_a_table_that_cannot_be_written_is_one_sentence(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(monkeypatch, capsys, "sweep", "collect-results", str(swept), "--csv", "/dev/null/table.csv")
    assert code == 2 and "cannot write /dev/null/table.csv (" in said and "give another with --csv" in said


def test_results_in_a_bucket(swept: Path) -> None:
    """Through the same interface as gs:// and s3://, with a store in memory."""
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
    store = fsspec.filesystem("memory")
    for file in swept.glob("stage1/*/trial.json"):
        store.pipe(f"/bucket/sweep/{file.relative_to(swept)}", file.read_bytes())
    assert len(collect("memory://bucket/sweep")) == 6
    with pytest.raises(UserError, match="cannot use nonsense://x"):
        collect("nonsense://x")


def test_a_damaged_file_is_left_out_and_that_is_said(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(swept, tmp_path / "sweep", ignore=shutil.ignore_patterns("seed*"))
    (tmp_path / "sweep" / "stage1" / "2" / "trial.json").write_text("[1]")
    code, said = run(monkeypatch, capsys, "sweep", "collect-results", str(tmp_path / "sweep"))
    assert code == 0 and "5 results" in said
    assert "warning: 1 file is damaged and left out, the first stage1/2/trial.json" in said
    for file in (tmp_path / "sweep").glob("stage1/*/trial.json"):
        file.write_text("{")
    with pytest.raises(UserError, match=r"6 files are damaged, the first stage1/1/trial\.json"):
        collect(str(tmp_path / "sweep"))


def test_the_winner_is_evaluated_anew_and_its_values_can_be_pasted(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_winner(swept, episodes=8)
    assert (found.id, found.stage, found.trials) == ("4", 1, 6)
    assert found.overrides == ["1.ppo.learning_rate=0.0004", "1.ppo.gamma=0.91", "1.env.alive_bonus=1.5"]
    config = load_stage("velociraptor", 1, parse_overrides(found.overrides))
    assert (config.ppo.learning_rate, config.env.alive_bonus) == (0.0004, 1.5)
    assert found.fresh["episodes"] == 8 and 0.0 <= found.fresh_value <= 1.0
    code, said = run(monkeypatch, capsys, "sweep", "best", str(swept), "--episodes", "8")
    assert code == 0 and "best of 6 trials of stage 1: trial 4, budget" in said
    assert "mesozoic curriculum velociraptor --override 1.stage.n_envs=8 --override 1.env.max_episode_steps=20" in said
    code, said = run(monkeypatch, capsys, "sweep", "best", str(swept), "--episodes", "8", "--json")
    assert json.loads(said)["overrides"] == found.overrides
    code, said = run(monkeypatch, capsys, "sweep", "best", str(swept), "--stage", "2")
    assert code == 2 and "no trial of stage 2" in said and "it has trials of stage 1" in said


def test_the_winner_among_the_runs_of_wandb_agents(swept: Path, tmp_path: Path) -> None:
    """They lie in the agents' folder itself, one beside the other, with names of W&B."""
    for number, name in enumerate(("k3x", "zz9", "a", "b", "c", "best")):
        place = tmp_path / "sweep-abc" / name
        shutil.copytree(swept / "stage1" / "123564"[number], place)
    found = find_winner(tmp_path / "sweep-abc", episodes=8)
    assert (found.id, found.stage, found.trials) == ("best", 1, 6)
    with pytest.raises(UserError, match=r"no trial of stage 2 .* it has trials of stage 1"):
        find_winner(tmp_path / "sweep-abc", 2)
    with pytest.raises(UserError, match="holds runs of W&B's agents; give another --output-dir"):
        SweepFolder(tmp_path / "sweep-abc").begin(1, {})


def test_the_command_trains_what_was_tried() -> None:
    """With what the values were found beside, and one network for all stages; the budget is the stage file's."""
    point = {"ppo.batch_size": 1024, "ppo.net_arch": "medium"}
    fixed = ("stage.n_envs=64", "curriculum.timesteps=2048", "curriculum.eval_freq=512", "2.ppo.gamma=0.9")
    trial = Trial(RunSpec(stage=1, backend="jax", physics="mjx-jax", overrides=(*fixed, *overrides_of(point))), point)
    record = trial.record(NoLine())
    found = settings_of(1, record.spec["overrides"])
    assert found == ["1.stage.n_envs=64", "1.ppo.batch_size=1024", "ppo.net_arch=medium"]
    assert problems(RunSpec(overrides=tuple(found))) == []
    command = curriculum_command(record.spec, found)
    assert "--backend=jax --physics=mjx-jax --override 1.stage.n_envs=64" in command


def test_a_pruned_or_failed_trial_never_wins(swept: Path, tmp_path: Path) -> None:
    shutil.copytree(swept, tmp_path / "sweep", ignore=shutil.ignore_patterns("seed*"))
    folder = SweepFolder(tmp_path / "sweep")
    for name, state in (("4", "pruned"), ("6", "failed")):
        record = folder.records(1)[name]
        record.state = state  # type: ignore[assignment]
        record.save(folder.trials(1) / name)
    assert best_trial(folder)[1] == "5"
    with pytest.raises(UserError, match="holds no trials"):
        best_trial(SweepFolder(tmp_path))


def test_pictures(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [viz]")
    pytest.importorskip("optuna", reason="needs the extra [sweep]")
    arguments = ["sweep", "collect-results", str(swept), "--csv", str(tmp_path / "t.csv"), "--plot"]
    code, said = run(monkeypatch, capsys, *arguments, "--stages", "1", "2")
    assert code == 0 and "6 results, 0 passed their gate" in said, said
    for name in ("trial_metrics", "hyperparameter_analysis", "parameter_importance"):
        assert (tmp_path / f"sweep_{name}.png").read_bytes()[:4] == b"\x89PNG"
    lonely = tmp_path / "lonely"
    shutil.copytree(swept / "stage1" / "1", lonely / "stage1" / "1")
    code, said = run(monkeypatch, capsys, "sweep", "collect-results", str(lonely), "--plot")
    assert code == 0 and "no sweep_hyperparameter_analysis.png: no hyperparameter differs" in said, said
    assert "no sweep_parameter_importance.png: it needs 4 results" in said


def test_the_parameter_that_decides_is_the_important_one() -> None:
    pytest.importorskip("optuna", reason="needs the extra [sweep]")
    rows: list[dict[str, Any]] = [
        {"stage": 1, "value": float(i % 5), "ppo.learning_rate": 1e-4 * (1 + i % 5), "ppo.gamma": 0.9 + i % 7 / 100}
        for i in range(35)
    ]
    found = importance(rows)
    assert next(iter(found)) == "ppo.learning_rate" and found["ppo.learning_rate"] > 0.6
    assert importance(rows[:3]) == {}


def test_a_damaged_record_is_said_wherever_records_are_read(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The best of the others is not called the best of all without a word."""
    shutil.copytree(swept, tmp_path / "sweep")
    (tmp_path / "sweep" / "stage1" / "4" / "trial.json").write_text("{")
    code, said = run(monkeypatch, capsys, "sweep", "best", str(tmp_path / "sweep"), "--episodes", "8")
    assert code == 0 and "best of 5 trials of stage 1: trial 6" in said
    assert said.count("warning: a trial of stage 1 is left out: ") == 1 and "4/trial.json is damaged" in said
