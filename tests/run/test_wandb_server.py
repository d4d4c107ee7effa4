"""The real wandb client against a loopback server, healthy and with faults."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_faults import AT_ONCE, LATER, FaultyWandbServer
from support.wandb_server import API_KEY, WandbServer

from mesozoic.redact import forms
from mesozoic.run.sinks import Outcome, Place
from mesozoic.run.sinks.guard import Guard, close_all
from mesozoic.run.sinks.wandb_sink import WandbSink

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at /proc")]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who never heard of W&B."""
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "home" / "config"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def opened(tmp_path: Path, warnings: list[str]) -> Iterator[Callable[..., Guard]]:
    """Opens a guarded sink of a stage, in a folder that is the same for all."""
    sinks: list[WandbSink] = []

    def build(stage: int = 1, seconds: float = 60.0) -> Guard:
        folder = tmp_path / f"stage{stage}"
        folder.mkdir(exist_ok=True)

        def start(place: Place) -> WandbSink:
            sinks.append(WandbSink(place, seconds))
            return sinks[-1]

        return Guard("--wandb", start, Place(stage, folder, "raptor", {"seed": 3}, 0, warnings.append, print))

    yield build
    for sink in sinks:
        assert sink._process.poll() is not None, "its process is still there"
    for command in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = command.read_bytes()
        except OSError:
            continue
        if str(tmp_path).encode() in environment and command.parent.name != str(os.getpid()):
            name = (command.parent / "cmdline").read_bytes()
            assert b"wandb" not in name, f"{name!r} is still there"


def write(guard: Guard, stage: int, *steps: int) -> None:
    for step in steps:
        guard.write(step, {f"stage{stage}/loss": 0.5})
        guard.write(step, {f"stage{stage}/eval/success": 1.0, "eval/score": step / 1000})


def close(guard: Guard, outcome: Outcome = "finished", seconds: float = 60.0) -> None:
    close_all([guard], outcome, lambda: False, seconds)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    with WandbServer() as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        yield server


def test_the_command_wandb_offline_is_heard(
    tmp_path: Path, warnings: list[str], opened: Callable[..., Guard], server: WandbServer
) -> None:
    """It writes a settings file into the working folder, which only W&B knows how to read."""
    subprocess.run([sys.executable, "-m", "wandb", "offline"], check=True, cwd=tmp_path, timeout=120)
    guard = opened()
    write(guard, 1, 64)
    close(guard)
    assert list((tmp_path / "stage1" / "wandb").glob("offline-run-*/*.wandb"))
    assert (warnings, server.runs) == ([], {})


@pytest.mark.parametrize("how", ["command", "WANDB_MODE", "WANDB_DISABLED"])
def test_where_wandb_is_disabled_that_is_the_reason_that_is_given(
    tmp_path: Path, warnings: list[str], opened: Callable[..., Guard], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "command":
        subprocess.run([sys.executable, "-m", "wandb", "disabled"], check=True, cwd=tmp_path, timeout=120)
    else:
        monkeypatch.setenv(how, "disabled" if how == "WANDB_MODE" else "true")
    guard = opened()
    write(guard, 1, 64)
    close(guard)
    assert len(warnings) == 1 and "W&B is disabled here" in warnings[0] and "key" not in warnings[0]


def test_name_and_project_are_those_of_wandbs_settings_and_an_empty_one_is_none(
    opened: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch, server: WandbServer, warnings: list[str]
) -> None:
    for name, project in (("mine", "dinos"), ("", "")):
        monkeypatch.setenv("WANDB_NAME", name)
        monkeypatch.setenv("WANDB_PROJECT", project)
        monkeypatch.setenv("WANDB_MODE", "")
        guard = opened(stage=1 if name else 2)
        write(guard, 1, 64)
        close(guard)
    assert [(run.title, run.project) for run in server.runs.values()] == [("mine", "dinos"), ("raptor", "mesozoic")]
    assert warnings == []


def test_a_mode_that_does_not_exist_is_one_warning(
    opened: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    guard = opened()
    write(guard, 1, 64)
    close(guard)
    assert len(warnings) == 1 and "mode" in warnings[0] and "'offline'" in warnings[0]


def test_a_server_that_refuses_rows_is_said_and_they_are_kept(
    tmp_path: Path, opened: Callable[..., Guard], warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B's own `finish` succeeds then; it says so on the terminal alone."""
    with FaultyWandbServer("turns to 403") as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        guard = opened()
        write(guard, 1, 64, 128)
        close(guard)
    (said,) = warnings
    folder = re.search(r"'wandb sync (.+)' sends them later", said)
    assert folder and list(Path(folder[1]).glob("run-*.wandb"))


def test_without_a_key_there_is_one_warning(opened: Callable[..., Guard], warnings: list[str]) -> None:
    guard = opened()
    write(guard, 1, 64)
    close(guard)
    assert len(warnings) == 1
    assert "no API key" in warnings[0] and "WANDB_MODE=offline" in warnings[0]


def test_offline_writes_a_run_and_continues_the_same_one(
    tmp_path: Path, warnings: list[str], opened: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for step in (64, 128):
        guard = opened()
        write(guard, 1, step)
        close(guard)
    run_id = json.loads((tmp_path / "stage1" / "wandb.json").read_text())["id"]
    files = list((tmp_path / "stage1" / "wandb").glob("offline-run-*/*.wandb"))
    assert files
    assert {file.name for file in files} == {f"run-{run_id}.wandb"}
    assert all(file.stat().st_size > 0 for file in files)
    assert warnings == []


@pytest.mark.parametrize(
    ("outcome", "state", "code"), [("finished", "finished", 0), ("failed", "failed", 1), ("preempted", "preempted", 1)]
)
def test_the_run_ends_as_the_training_did(
    outcome: Outcome,
    state: str,
    code: int,
    opened: Callable[..., Guard],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with WandbServer() as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        guard = opened()
        write(guard, 1, 64, 128)
        close(guard, outcome)
        (run,) = server.runs.values()
        assert (run.state, run.exit_code, run.project) == (state, code, "mesozoic")
        assert [row["eval/score"] for row in run.history if "eval/score" in row] == [0.064, 0.128]
        assert warnings == []


def test_a_resumed_run_goes_on_without_rows_twice_and_later_stages_begin_at_0_again(
    opened: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with WandbServer() as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WANDB_RUN_ID", "one-for-all-stages")
        for stage, steps in ((1, (64, 128, 192)), (1, (128, 192, 256)), (2, (64, 128))):
            guard = opened(stage)
            write(guard, stage, *steps)
            close(guard, "preempted" if steps[0] == 64 and stage == 1 else "finished")
        (run,) = server.runs.values()
        seen = [(stage, row[f"stage{stage}/env_step"]) for row in run.history for stage in (1, 2)
                if f"stage{stage}/loss" in row]  # fmt: skip
        assert seen == [(1, 64), (1, 128), (1, 192), (1, 256), (2, 64), (2, 128)]


@pytest.mark.parametrize("fault", [*AT_ONCE, *LATER])
def test_a_faulty_server_costs_one_warning_and_no_time(
    fault: str, opened: Callable[..., Guard], warnings: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with FaultyWandbServer(fault) as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        began = time.monotonic()
        guard = opened(seconds=12.0 if fault in AT_ONCE else 60.0)
        write(guard, 1, *range(64, 640, 64))
        assert time.monotonic() - began < 1.0, "the training waited"
        deadline = time.monotonic() + 60.0
        while not server.broken and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.broken
        write(guard, 1, *range(640, 1280, 64))
        began = time.monotonic()
        close(guard, seconds=15.0)
        assert time.monotonic() - began < 25.0
        assert len(warnings) == 1, warnings
        assert "training goes on" in warnings[0] and "\n" not in warnings[0] and len(warnings[0]) < 350
        assert (fault == "refused") == (server.asked == 0)
    for form in forms(API_KEY):
        assert form not in warnings[0]
        for file in (path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()):
            assert form.encode() not in file.read_bytes(), file


PROGRAM = """
import sys, time
from pathlib import Path
from mesozoic.run.sinks import Place
from mesozoic.run.sinks.wandb_sink import WandbSink
sink = WandbSink(Place(1, Path(sys.argv[1]), "raptor", {}, 0, print, print))
for step in (64, 128):  # W&B keeps the row of a step back until there is one of a later step
    sink.write(step, {"stage1/loss": 0.5})
print("written", flush=True)
time.sleep(600)
"""


@pytest.mark.slow  # W&B sends rows every 15 s
def test_a_killed_training_is_no_finished_run(tmp_path: Path) -> None:
    with WandbServer() as server:
        environment = {**os.environ, **server.environment(tmp_path / "home")}
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment)
        deadline = time.monotonic() + 120
        while not any(run.history for run in server.runs.values()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        while [run.state for run in server.runs.values()] == ["running"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [run.state for run in server.runs.values()] == ["failed"]
