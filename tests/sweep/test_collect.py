"""One reader of what is over: sweeps and curricula, in a folder or a bucket, for every table that is made of them."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mesozoic.cli.app import main
from mesozoic.run.results_table import COLUMNS, RESULTS_FILE, results_table
from mesozoic.sweep.finished import finished_below
from mesozoic.sweep.results import collect

SCRIPTS = Path(__file__).parents[2] / "scripts"


def collected(place: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    monkeypatch.setattr("sys.argv", ["mesozoic", "sweep", "collect-results", place, *more])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture
def curriculum(swept: Path, tmp_path: Path) -> Path:
    """A curriculum of two stages, with its table; both are copies of one training."""
    run = tmp_path / "run"
    results = []
    for stage in (1, 2):
        shutil.copytree(swept / "stage1" / "1" / "seed0" / "stage1", run / f"stage{stage}")
        models, file = run / f"stage{stage}" / "models", run / f"stage{stage}" / "metrics.json"
        (models / "stage1_final.zip").rename(models / f"stage{stage}_final.zip")
        results.append({**json.loads(file.read_text()), "stage": stage, "stage_passed": stage == 1})
        file.write_text(json.dumps(results[-1]))
    (run / RESULTS_FILE).write_text(results_table(results))
    return run


def test_a_curriculum_that_is_collected_anew_keeps_all_of_its_table(
    curriculum: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are called `collected_results.csv`, so the one must hold what the other did."""
    before = rows_of(curriculum / RESULTS_FILE)
    assert [row["stage_passed"] for row in before] == ["True", "False"] and all(row["final_policy"] for row in before)
    collected(str(curriculum), monkeypatch)
    after = rows_of(curriculum / RESULTS_FILE)
    assert [{name: row[name] for name in COLUMNS} for row in after] == before
    assert all(row["curriculum.min_success_low"] == "0.0" for row in after)


def test_a_trial_shows_the_thresholds_that_it_was_held_against(swept: Path, tmp_path: Path) -> None:
    rows = collect(str(swept))
    assert [row["curriculum.min_success_low"] for row in rows] == [0.0] * 6
    assert {(row["backend"], row["seed"]) for row in rows} == {("auto", 0)}
    without = tmp_path / "sweep"
    shutil.copytree(swept, without, ignore=shutil.ignore_patterns("seed*"))
    assert len(collect(str(without))) == 6, "removed to save space"
    (without / "stage1" / "3" / "seed0" / "stage1").mkdir(parents=True)
    (without / "stage1" / "3" / "seed0" / "stage1" / "metrics.json").write_text("[")
    said = list[str]()
    assert len(collect(str(without), warn=said.append)) == 6
    assert said == ["1 file is damaged and left out, the first stage1/3/seed0/stage1/metrics.json"]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of Google's storage on loopback, behind the real gcsfs."""
    pytest.importorskip("gcsfs", reason="needs gcsfs")
    server = pytest.importorskip("gcp_storage_emulator.server", reason="needs gcp-storage-emulator")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    running = server.create_server("127.0.0.1", port, in_memory=True, default_bucket="dinosaurs")
    running.start()
    yield "gs://dinosaurs"
    running.stop()


def test_results_in_a_bucket_of_google(
    swept: Path, curriculum: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep and a curriculum make the same tables from gs:// as from a folder."""
    import fsspec

    store, _ = fsspec.core.url_to_fs(bucket)
    for name, folder in (("sweep", swept), ("run", curriculum)):
        for file in (one for one in folder.rglob("*.json") if one.is_file()):
            store.pipe_file(f"dinosaurs/{name}/{file.relative_to(folder)}", file.read_bytes())
        for place in (str(folder), f"{bucket}/{name}"):
            collected(place, monkeypatch, "--csv", str(tmp_path / f"{'far' if '://' in place else 'near'}.csv"))
        assert (tmp_path / "far.csv").read_text() == (tmp_path / "near.csv").read_text()


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_scripts_read_runs_with_the_same_reader(curriculum: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What they print and write stays; a damaged file is said and left out, where it ended them."""
    side = curriculum.parent / "all"
    for seed in (0, 1):
        shutil.copytree(curriculum, side / f"velociraptor-seed{seed}")
    (side / "velociraptor-seed1" / "stage2" / "metrics.json").write_text("{")
    known: dict[str, dict[str, Any]] = _Known()
    records = script("collect_results")._records(side, known)
    assert [(one["stage"], one["stage_passed"], one["learner"]) for one in records] == [
        (1, True, "jax ppo"),
        (2, False, "jax ppo"),
        (1, True, "jax ppo"),
    ]
    assert records[0]["curve"] and records[0]["versions"]
    captured = capsys.readouterr()
    assert "velociraptor seed 0 stage 2: NOT passed at 128 steps, success 0.500 on unseen episodes" in captured.out
    assert "stage2/metrics.json is damaged and left out" in captured.err
    assert script("train_all")._state(side, "velociraptor", 0) == (
        "stage 1 passed at 128 steps, stage 2 NOT passed at 128 steps"
    )
    assert script("train_all")._state(side, "velociraptor", 7) == "no stage is over yet"


class _Known(dict[str, dict[str, Any]]):
    """Every policy is evaluated already."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> dict[str, Any]:
        return {"unseen": {"success": 0.5}}


def test_a_trial_counts_once_however_many_of_its_files_are_there(swept: Path, tmp_path: Path) -> None:
    """The record of a trial wins over the result of a training that lies beside it."""
    place = tmp_path / "sweep"
    shutil.copytree(swept, place)
    shutil.copy(place / "stage1" / "1" / "seed0" / "stage1" / "metrics.json", place / "stage1" / "1")
    found, damaged = finished_below(str(place))
    assert [(one.trial, one.is_trial) for one in found] == [(str(n), True) for n in range(1, 7)] and not damaged


def test_trials_that_agents_of_a_wandb_sweep_left_are_collected(swept: Path, tmp_path: Path) -> None:
    """Their folders have the names of runs, and lie in that of the sweep; the record says which stage it was."""
    for run, trial in (("a1b2", "1"), ("c3d4", "4")):
        shutil.copytree(swept / "stage1" / trial, tmp_path / "sweep-x" / run)
    (tmp_path / "sweep-x" / "e5f6").mkdir()
    (tmp_path / "sweep-x" / "e5f6" / "trial.json").write_text("{}")
    found, damaged = finished_below(str(tmp_path / "sweep-x"))
    assert [(one.stage, one.trial) for one in found] == [(1, "a1b2"), (1, "c3d4")]
    assert damaged == ["e5f6/trial.json"]
    assert [row["value"] for row in collect(str(tmp_path / "sweep-x"))] == [0.1, 0.9]


def test_a_result_without_figures_keeps_its_place_in_the_pictures() -> None:
    """A sweep whose last trial alone ran to its end was drawn as one bar from side to side."""
    matplotlib = pytest.importorskip("matplotlib.figure", reason="needs the extra [viz]")
    from mesozoic.sweep.results_plot import _parameters, _trials

    rows = [{"stage": 1, "stage_passed": False, "state": "failed", "ppo.gamma": n / 10} for n in range(1, 9)]
    rows.append({**rows[0], "state": "budget", "value": 1.0, "best_mean_reward": 5.0, "ppo.gamma": 0.9})
    rows.append({**rows[0], "state": "pruned", "value": 0.5, "ppo.gamma": 0.8})
    figure = matplotlib.Figure()
    assert _trials(figure, rows) == "" and figure.axes[0].get_xlim() == (0.4, 10.6)
    figure = matplotlib.Figure()
    assert _parameters(figure, rows) == ""
    faces = [points.get_facecolors() for points in figure.axes[0].collections]
    assert [len(face) for face in faces] == [1, 0], "what was pruned is hollow"
