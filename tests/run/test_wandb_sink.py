"""The process that talks to Weights & Biases, with made-up programs in its place: whatever it does is one warning."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mesozoic.redact import MARK, forms, redact, scrub
from mesozoic.run.sinks import Place
from mesozoic.run.sinks.guard import Guard, close_all
from mesozoic.run.sinks.wandb_sink import WandbSink, _run_id

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

READ = """
import json, os, signal, sys, time
def say(**facts): print(json.dumps(facts), flush=True)
def hear(): return json.loads(sys.stdin.readline())
"""
GOOD = "hear(); say(started=True)\nwhile 'close' not in hear(): pass\nsay(closed=True)"


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def stops() -> list[str]:
    return []


@pytest.fixture
def guard(
    tmp_path: Path, warnings: list[str], stops: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Guard]:
    """A guarded sink whose process runs this program instead; it has 1.5 s to start."""
    monkeypatch.setattr("mesozoic.run.sinks.wandb_sink.find_spec", lambda _: True)
    place = Place(1, tmp_path, "raptor", {"seed": 3}, 0, warnings.append, stops.append)

    def build(program: str, seconds: float = 1.5) -> Guard:
        file = tmp_path / "program.py"
        file.write_text(READ + program)
        return Guard("--wandb", lambda _: WandbSink(place, seconds, file), place)

    return build


def train(guard: Guard, seconds: float = 3.0) -> float:
    """Hand over what a training does; how long the caller was held up, its end included."""
    began = time.monotonic()
    for step in range(300):
        guard.write(step, {f"stage1/metric{i}": float(i) for i in range(60)})
    held = time.monotonic() - began
    assert held < 1.0
    close_all([guard], "finished", lambda: False, seconds=seconds)
    return time.monotonic() - began


def running(program: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(program) in process.read_text():
                found.append(process.parent.name)
        except OSError:
            continue
    return found


def test_a_process_that_works_gives_no_warning(
    guard: Callable[..., Guard], warnings: list[str], tmp_path: Path
) -> None:
    train(guard(GOOD), seconds=20.0)
    assert warnings == []
    assert running(tmp_path / "program.py") == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("time.sleep(600)", "did not start within 2 s"),
        ("hear(); time.sleep(600)", "did not start within 2 s"),
        ("sys.exit(3)", "ended"),
        ("hear(); say(failed='no API key; run wandb login'); sys.exit(1)", "no API key"),
        ("hear(); say(started=True); hear(); os.kill(os.getpid(), signal.SIGKILL)", "ended"),
        ("hear(); say(started=True); time.sleep(600)", "did not answer within"),
        ("hear(); say(started=True)\nwhile 'close' not in hear(): pass\ntime.sleep(600)", "did not answer within"),
        ("hear(); say(started=True)\nwhile 'close' not in hear(): pass\nsay(failed='500'); sys.exit(1)", "500"),
        ("hear(); print('garbage', flush=True); time.sleep(600)", "does not speak"),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN); hear(); time.sleep(600)", "did not start within 2 s"),
    ],
)
def test_whatever_goes_wrong_is_one_warning_and_nothing_stays(
    guard: Callable[..., Guard], warnings: list[str], tmp_path: Path, program: str, words: str
) -> None:
    assert train(guard(program)) < 15.0
    assert len(warnings) == 1, warnings
    assert warnings[0].startswith("--wandb: ") and "training goes on" in warnings[0]
    assert words in warnings[0], warnings
    assert running(tmp_path / "program.py") == []


def test_what_the_server_stops_stops_the_training(guard: Callable[..., Guard], stops: list[str]) -> None:
    sink = guard("hear(); say(started=True); say(stop='stopped on the W&B server')\n" + GOOD[len("hear(); ") :], 20.0)
    deadline = time.monotonic() + 20
    while not stops and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stops == ["stopped on the W&B server"]
    close_all([sink], "finished", lambda: False)


def test_without_the_package_there_is_one_warning(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    place = Place(1, tmp_path, "raptor", {}, 0, warnings.append, lambda _: None)
    train(Guard("--wandb", WandbSink, place))
    assert len(warnings) == 1
    assert "pip install 'mesozoic[sweep]'" in warnings[0]


def test_a_run_keeps_its_id_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    place = Place(1, tmp_path, "", {}, 0, print, print)
    first = _run_id(place)
    assert _run_id(place) == first == json.loads((tmp_path / "wandb.json").read_text())["id"]
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    assert _run_id(place) == "mine"


KEY = "0123456789abcdef" * 3


def test_a_secret_is_taken_out_in_every_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "https://me:pass%2Fword@host")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password another-secret\n")
    for secret in (KEY, "pass/word", "another-secret"):
        for form in forms(secret):
            assert form not in redact(f"Authorization: Basic {form} and more"), form
    assert redact("nothing secret") == "nothing secret"
    assert MARK in redact(f"the key {KEY}")


def test_secrets_in_files_are_overwritten_and_links_not_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    logs, outside = tmp_path / "wandb" / "logs", tmp_path / "key"
    logs.mkdir(parents=True)
    outside.write_text(KEY)
    (logs / "link.log").symlink_to(outside)
    (logs / "debug.log").write_text(f"before {KEY} after")
    scrub(tmp_path / "wandb")
    assert (logs / "debug.log").read_text() == f"before {'*' * len(KEY)} after"
    assert outside.read_text() == KEY


def test_a_killed_training_takes_its_process_along(tmp_path: Path) -> None:
    """The real program, whose W&B cannot be imported: it ends because its input does."""
    from mesozoic.run.sinks.wandb_sink import PROGRAM

    reading, writing = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-S", str(PROGRAM)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_CLOSE, writing)],
    )
    os.close(reading)
    os.close(writing)  # as the kernel does for a process that is killed
    deadline = time.monotonic() + 20
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            pytest.fail("it went on")
        time.sleep(0.02)
