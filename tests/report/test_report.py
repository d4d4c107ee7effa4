"""A report has everything about its runs in one file that asks for nothing and runs nothing that it was given."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mesozoic.cloud.ledger import begin, write_ledger
from mesozoic.cloud.pulled import MARK, claim
from mesozoic.errors import UserError
from mesozoic.report.cost import cost_lines
from mesozoic.report.examined import Examined
from mesozoic.report.gate_part import gate_part
from mesozoic.report.report import write_report
from mesozoic.report.runs import read_runs
from mesozoic.report.settings_part import command_of, differences_of

Make = Callable[..., Path]
HOSTILE = "<script>alert(1)<"


class Seen(HTMLParser):
    """Tags, texts and attributes of a page, without what its frames hold."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.frames: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.frames += [value for name, value in attrs if name == "srcdoc" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def seen_in(path: Path) -> Seen:
    seen = Seen()
    seen.feed(path.read_text(encoding="utf-8"))
    return seen


def test_a_report_of_several_seeds_has_every_part(make_run: Make, tmp_path: Path) -> None:
    """Curves, gate, baselines, robustness, replays, times, differences, commands and versions; names stay text."""
    runs = [make_run("raptor-a", 0), make_run(HOSTILE, 1, best=0.3)]
    page = tmp_path / "report.html"
    size = write_report(runs, page, episodes=8, robustness=2)
    assert size == page.stat().st_size < 3_000_000
    seen = seen_in(page)
    for words in ("Replays", "Training", "Gate", "Unseen episodes beside the baselines", "Other worlds", "Time"):
        assert words in seen.text
    for words in (
        "Configuration",
        "Train it again",
        "Versions",
        "success_low over",
        "friction 0.6",
        "statue, undisturbed",
    ):
        assert words in seen.text, words
    assert HOSTILE in seen.text and "script" not in seen.tags
    source = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in source and "connect-src 'none'" in source
    assert source.count("<polygon") >= 2, "a band of both seeds"
    (frame,) = seen.frames
    assert frame.startswith("<!doctype html>") and "alert(1)" not in html.unescape(frame)


def test_a_gate_says_what_each_run_needed(make_run: Make) -> None:
    """A threshold that all share stands once; one that differs stands beside each figure."""
    runs = [make_run("a", 0), make_run("b", 1)]
    result = json.loads((runs[1] / "stage1" / "metrics.json").read_text())
    by_name = {row["name"]: row for row in result["gate"]}
    by_name["success_low"].update(value=0.25, threshold=0.125, passed=True)
    by_name["avg_reward"]["threshold"] = 7.5
    (runs[1] / "stage1" / "metrics.json").write_text(json.dumps(result))
    own = {row["name"]: row["threshold"] for row in read_runs(runs)[0].result["gate"]}
    text = html.unescape(gate_part([Examined(run, None, [], []) for run in read_runs(runs)]))
    assert "0.250 ✓ (>= 0.125)" in text and f"(>= {own['success_low']:.3f})" in text and "(> 7.500)" in text
    assert "<th>survival_low</th><td>>= 0.000</td>" in text


def test_baselines_of_runs_whose_task_differs_stand_for_each(make_run: Make, tmp_path: Path) -> None:
    runs = [make_run("a", 0), make_run("b", 1)]
    file = runs[1] / "stage1" / "stage_config.json"
    recorded = json.loads(file.read_text())
    recorded["config"]["env"]["max_episode_steps"] = 3
    recorded["config"]["curriculum"]["min_avg_episode_length"] = 0.0
    file.write_text(json.dumps(recorded))
    write_report(runs, tmp_path / "r.html", episodes=4, robustness=0)
    seen = seen_in(tmp_path / "r.html")
    assert "statue, as for a" in seen.text and "statue, as for b" in seen.text
    packed = re.search(r'id="parcel">([^<]+)<', seen.frames[0])
    assert packed is not None
    episodes = json.loads(gzip.decompress(base64.b64decode(packed[1])))["episodes"]
    assert episodes and not any(one["ghosts"] for one in episodes), "they are other episodes"


def test_a_shipped_policy_has_a_report_without_a_run(tmp_path: Path) -> None:
    """Of a walker: criteria of a good walk, gait and footfalls; what its gate said is known from its record."""
    page = tmp_path / "report.html"
    write_report([Path("velociraptor")], page, 2, episodes=4, robustness=0)
    seen = seen_in(page)
    for words in ("What a good walk is made of", "stride frequency", "Footfalls", "None: every run is as shipped."):
        assert words in seen.text, words
    assert "passed" in seen.text and "Other worlds" not in seen.text and "Training" not in seen.text


def test_a_run_without_a_policy_yet_is_reported_by_its_curves(make_run: Make, tmp_path: Path) -> None:
    run = make_run()
    (run / "stage1" / "metrics.json").unlink()
    for path in (run / "stage1" / "models").iterdir():
        path.unlink()
    write_report([run], tmp_path / "r.html")
    seen = seen_in(tmp_path / "r.html")
    assert "is not over yet" in seen.text and "Training" in seen.text and seen.frames == []


def test_the_command_repeats_what_differs_from_the_shipped_stage(make_run: Make) -> None:
    run = make_run(seed=3)
    file = run / "stage1" / "stage_config.json"
    recorded = json.loads(file.read_text())
    recorded["config"]["ppo"]["gamma"] = 0.5
    recorded["identity"]["backend"] = "sb3"
    file.write_text(json.dumps(recorded))
    (stage,) = read_runs([run])
    assert differences_of(stage)["ppo.gamma"][1] == 0.5
    command = command_of(stage)
    stage.recorded["identity"]["load"] = "x\nrm -rf ~"
    assert command_of(stage) == f"{command} --load POLICY", "nothing of a file is pasted into a shell unquoted"
    assert (
        command.startswith("mesozoic train velociraptor --stage 1 --seed 3 --backend sb3 ")
        and "ppo.gamma=0.5" in command
    )


@pytest.mark.parametrize("source", ["dino-1", "gs://bucket/runs/dino-1"])
def test_the_cost_of_a_rented_run_is_its_hours_times_the_price(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a cluster, and of a job that left its run in a bucket, as their own commands bring it home."""
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    assert cost_lines(run) == []
    begin("cluster", "dino-1", price=1.0, folder="gs://bucket/runs/dino-1")
    write_ledger("up", "dino-1", price=1.5)
    with claim(run, source, "dino-1", print):
        (run / "job.json").write_text(json.dumps({"seconds": 7200.0}))
    said = " ".join(cost_lines(run))
    assert "2.00 hours" in said and "trained on 'dino-1'" in said
    assert "$1.50 an hour" in said and "$3.00 of training" in said


def test_a_folder_that_came_home_earlier_has_its_cost_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "home"))
    (tmp_path / MARK).write_text(json.dumps({"cluster": "dino-1", "run": "r"}))
    assert "trained on 'dino-1'" in " ".join(cost_lines(tmp_path))
    with claim(tmp_path, "dino-1", "r", print):
        (tmp_path / "job.json").write_text("{}")


def test_a_wrong_name_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not end in \.html"):
        write_report([Path("trex")], tmp_path / "r.pdf")


def test_a_report_needs_neither_jax_nor_opengl(make_run: Make, tmp_path: Path) -> None:
    blocked = ["jax", "flax", "torch", "OpenGL", "glfw", "mujoco.gl_context", "matplotlib", "PIL", "sky", "wandb"]
    page = tmp_path / "r.html"
    words = ["report", str(make_run()), "--episodes", "2", "--robustness", "0", "--output", str(page)]
    program = (
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
        f"sys.argv = ['mesozoic', *{words!r}]\nfrom mesozoic.cli.app import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"report {page} (")
