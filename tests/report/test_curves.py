"""Curves of several seeds are read, brought together and drawn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mesozoic.config import parse_overrides
from mesozoic.errors import UserError
from mesozoic.report.chart import COLOURS, _ticks
from mesozoic.report.curves import Curve, band_of, curve_of, metrics_of
from mesozoic.report.panels import gates_of, panels_of
from mesozoic.report.plot import plot_runs
from mesozoic.report.runs import MOST_RUNS, read_runs
from mesozoic.species import load_stage

Make = Callable[..., Path]


def curve(steps: list[float], values: list[float]) -> Curve:
    return Curve("a", np.array(steps, dtype=float), np.array(values, dtype=float))


def test_the_band_is_the_median_and_range_of_the_runs_that_go_on() -> None:
    """Between its points a curve is linear; beyond its end it no longer counts."""
    band = band_of([curve([0, 10], [0, 1]), curve([0, 5, 10, 20], [0, 0, 0, 4]), curve([0, 10], [0, 0.5])])
    assert band is not None
    assert band.steps.tolist() == [0, 5, 10, 20]
    assert band.median.tolist() == [0, 0.25, 0.5, 4]
    assert band.low.tolist() == [0, 0, 0, 4] and band.high.tolist() == [0, 0.5, 1, 4]
    assert band_of([curve([0, 1], [0, 1])]) is None


def test_curves_come_from_the_table_of_a_training(make_run: Make) -> None:
    """Empty cells and a torn last line are left out; the last row of a step counts."""
    run = make_run()
    with (run / "stage1" / "training.csv").open("a") as file:
        file.write("\n5000,0.7,nan,\n")
    (stage,) = read_runs([run])
    found = curve_of(stage, "eval/success")
    assert found is not None and found.steps.tolist() == [1000, 2000, 3000, 4000, 5000, 9000]
    assert found.values[-2:].tolist() == [0.7, 0.99]
    assert curve_of(stage, "eval/nothing") is None
    assert metrics_of([stage]) == ["train/entropy", "eval/success", "eval/avg_reward"]


def test_gates_and_baselines_are_lines(make_run: Make) -> None:
    runs = read_runs([make_run("a", 0), make_run("b", 1, best=0.4)])
    panel = panels_of(runs)[0]
    assert (panel.title, len(panel.curves), panel.share) == ("success", 2, True)
    assert panel.band is not None and panel.band.high[-1] == 0.8
    config = load_stage("velociraptor", 2, parse_overrides(["curriculum.max_flight=0.03"]))
    assert gates_of(config, "eval/gait/flight") == [("gate: at most", 0.03)]
    assert gates_of(config, "eval/success") == [("gate: mean", 0.85), ("gate: lower bound", 0.75)]
    assert gates_of(config, "train/entropy") == []
    config = load_stage("velociraptor", 1, parse_overrides(["curriculum.min_avg_reward=-5"]))
    assert gates_of(config, "eval/avg_reward") == [("gate", -5.0)]
    assert len(set(COLOURS)) == MOST_RUNS, "every run has its own colour"


def test_a_plot_is_an_svg_with_a_line_for_each_run(make_run: Make, tmp_path: Path) -> None:
    runs = [make_run("a", 0), make_run("b<i>&", 1, best=0.4)]
    (path,) = plot_runs(runs, tmp_path / "curves.svg")
    root = ElementTree.parse(path).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"success", "a", "b<i>&", "median, and range of the runs"} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polygon"))) == 2, "a band in each panel"
    assert plot_runs(runs, tmp_path / "one.svg", metrics=["stage1/train/entropy"]) == [tmp_path / "one.svg"]


def test_a_metric_of_one_stage_is_drawn_where_several_stages_are_given(make_run: Make, tmp_path: Path) -> None:
    run = make_run()
    second = run / "stage2"
    (second / "models").mkdir(parents=True)
    config = load_stage("velociraptor", 2).model_dump(mode="json")
    (second / "stage_config.json").write_text(json.dumps({"identity": {"species": "velociraptor"}, "config": config}))
    (second / "training.csv").write_text("step,stage2/eval/gait/speed\n1000,0.1\n2000,0.2\n")
    assert plot_runs([run], tmp_path / "c.svg", metrics=["eval/gait/speed"]) == [tmp_path / "c.svg"]
    assert plot_runs([run], tmp_path / "d.svg", metrics=["stage2/eval/gait/speed"]) == [tmp_path / "d.svg"]
    both = plot_runs([run], tmp_path / "e.svg", metrics=["eval/gait/speed", "eval/success"])
    assert both == [tmp_path / "e-stage1.svg", tmp_path / "e-stage2.svg"]
    with pytest.raises(UserError, match="no run has the metric 'stage3/eval/success'; did you mean 'eval/success'"):
        plot_runs([run], tmp_path / "f.svg", metrics=["stage3/eval/success"])


def test_thresholds_and_baselines_of_every_run_are_drawn(make_run: Make) -> None:
    """A threshold of some runs alone says of which; of baselines that differ the highest counts."""
    runs = [make_run("a", 0), make_run("b", 1)]
    config = json.loads((runs[1] / "stage1" / "stage_config.json").read_text())
    config["config"]["curriculum"]["min_success_low"] = 0.123
    (runs[1] / "stage1" / "stage_config.json").write_text(json.dumps(config))
    for run, success in zip(runs, (0.3, 0.7), strict=True):
        result = json.loads((run / "stage1" / "metrics.json").read_text())
        result["baselines"]["statue"]["success"] = success
        (run / "stage1" / "metrics.json").write_text(json.dumps(result))
    panel = panels_of(read_runs(runs))[0]
    assert ("gate: lower bound (b)", 0.123) in panel.gates
    assert ("highest statue", 0.7) in panel.bases


def test_runs_of_one_name_are_told_apart(make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the folders as they were typed; folders of this machine are in no name."""
    runs = [make_run("a/seed0"), make_run("b/seed0")]
    assert [run.name for run in read_runs(runs)] == ["seed0 (1)", "seed0 (2)"]
    monkeypatch.chdir(tmp_path)
    assert [run.name for run in read_runs([Path("a/seed0"), Path("b/seed0")])] == ["a/seed0", "b/seed0"]


def test_a_plot_is_a_picture_as_well(make_run: Make, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [viz]")
    image = pytest.importorskip("PIL.Image", reason="needs the extra [viz]")
    (path,) = plot_runs([make_run("a", 0), make_run("$x_1$", 1)], tmp_path / "curves.png")
    with image.open(path) as picture:
        assert picture.width > 1000 and len(picture.getcolors(1 << 20)) > 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sources": []}, "there is no run"),
        ({"output": "x.pdf"}, r"does not end in \.svg or \.png"),
        ({"metrics": ["eval/sucess"]}, "did you mean 'eval/success'"),
        ({"sources": ["trex"]}, "none of these has curves"),
        ({"stage": 2}, "holds no run of stage 2"),
        ({"sources": ["/nowhere"]}, "holds no run; give"),
    ],
)
def test_a_mistake_is_one_sentence(change: dict, words: str, make_run: Make, tmp_path: Path) -> None:
    run = make_run()
    given = {"sources": [run], "output": "x.svg", "stage": None, "metrics": ()} | change
    with pytest.raises(UserError, match=words):
        plot_runs([Path(one) for one in given["sources"]], tmp_path / given["output"], given["stage"], given["metrics"])
    assert not (tmp_path / given["output"]).exists()


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"gate": [1]}', '{"gate": 0.5}', '{"stage_passed": {}}', '{"baselines": 3}', '{"seconds": []}']
)
def test_damaged_files_are_named(text: str, make_run: Make) -> None:
    run = make_run()
    (run / "stage1" / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json cannot be read"):
        read_runs([run])


def test_a_table_that_is_none_is_named(make_run: Make) -> None:
    run = make_run()
    (run / "stage1" / "training.csv").write_text("step,x\n1," + "x" * 200_000 + "\n2,3\n")
    with pytest.raises(UserError, match=r"training\.csv cannot be read \(it is no table"):
        read_runs([run])


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 2500.0), (0.0, 1e-9), (5.0, 5.1), (-1e7, 1e9)])
def test_an_axis_has_a_few_round_numbers(low: float, high: float) -> None:
    ticks = _ticks(low, high, 5)
    assert 2 <= len(ticks) <= 7 and low - 1e-9 <= ticks[0] and ticks[-1] <= high * (1 + 1e-9) + 1e-18


def test_plot_needs_neither_jax_nor_matplotlib(make_run: Make, tmp_path: Path) -> None:
    blocked = ["jax", "flax", "torch", "OpenGL", "glfw", "mujoco.gl_context", "matplotlib", "PIL"]
    words = ["plot", str(make_run()), "--output", str(tmp_path / "c.svg")]
    program = (
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
        f"sys.argv = ['mesozoic', *{words!r}]\nfrom mesozoic.cli.app import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {tmp_path / 'c.svg'}\n"
