"""The process that watches a training: real child processes that end, hang, crash and are stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesozoic.job.environment import Job, read_job
from mesozoic.job.supervisor import Limits, Supervisor
from mesozoic.run.machines.hosts import Hosts

SHORT = Limits(grace=1.0, silence=600.0, heartbeat=0.2)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return read_job({"RESULTS": str(tmp_path), "RUN_NAME": "x", "STAGE": "1"})


def child(body: str) -> list[str]:
    """A training process: `say(**facts)` reports, `left` is what it was given."""
    start = """
        import argparse, json, os, signal, sys, time
        parser = argparse.ArgumentParser()
        parser.add_argument("--events", type=int)
        parser.add_argument("--left", type=float)
        options = parser.parse_args()
        left = options.left
        def say(**facts):
            os.write(options.events, (json.dumps(facts) + chr(10)).encode())
    """
    return [sys.executable, "-c", textwrap.dedent(start) + textwrap.dedent(body)]


def run(job: Job, body: str, limits: Limits = SHORT) -> tuple[int, list[str]]:
    lines: list[str] = []
    return Supervisor(job, child(body), os.environ, lines.append, limits).run(), lines


def record(job: Job) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((job.run / "job.json").read_text())
    return loaded


def test_progress_is_told_and_the_end_is_recorded(job: Job) -> None:
    code, lines = run(
        job,
        """
        say(title="trex stage 1 balance", phase="training", step=1024, budget=20000, speed=512.5)
        time.sleep(1.0)
        say(result={"stage": 1, "stage_passed": True})
        """,
    )
    assert code == 0
    assert any("trex stage 1 balance, training, 1,024 of 20,000 steps, 512 steps/s" in line for line in lines), lines
    assert str(job.run / "job.json") in lines[-1]
    written = record(job)
    assert (written["state"], written["exit_code"]) == ("finished", 0)
    assert written["stages"] == [{"stage": 1, "stage_passed": True}]
    assert written["seconds"] > 0.9


def test_bad_input_leaves_no_trace(job: Job) -> None:
    assert run(job, "sys.exit(2)")[0] == 2
    assert list(job.run.parent.iterdir()) == []


def test_what_ends_badly_later_is_recorded(job: Job) -> None:
    """A full disk, or a training that diverged, has the exit code of bad input."""
    assert run(job, "say(phase='training'); sys.exit(2)")[0] == 2
    assert (record(job)["state"], record(job)["exit_code"]) == ("failed", 2)


def test_a_crash_before_the_first_word_is_counted_only_where_the_job_would_be_run_again(job: Job) -> None:
    assert run(job, "sys.exit(1)")[0] == 1
    assert list(job.run.parent.iterdir()) == []
    moved = replace(job, job_id="sky-4", moves=3)
    assert [run(moved, "sys.exit(1)")[0] for _ in range(4)] == [75, 75, 75, 1]


def test_a_crash_keeps_its_exit_code(job: Job) -> None:
    assert run(job, "say(phase='training'); os.kill(os.getpid(), signal.SIGSEGV)")[0] == 139
    assert (record(job)["state"], record(job)["exit_code"]) == ("failed", 139)


@pytest.mark.parametrize(
    ("code", "ends"), [(0, [0]), (2, [2]), (137, [137]), (1, [75, 75, 75, 1]), (139, [75] * 3 + [139])]
)
def test_a_service_that_moves_jobs_is_asked_a_few_times(job: Job, code: int, ends: list[int]) -> None:
    moved = replace(job, job_id="sky-4", moves=3)
    assert [run(moved, f"say(phase='compiling'); sys.exit({code})")[0] for _ in ends] == ends
    assert run(replace(moved, job_id="sky-5"), f"say(phase='compiling'); sys.exit({code})")[0] == ends[0]


def test_a_training_that_hangs_at_the_end_of_its_time_is_killed(job: Job) -> None:
    limited = replace(job, max_hours=1.0 / 3600)
    code, lines = run(limited, "say(phase='training'); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
    assert code == 75
    assert any("killing it" in line for line in lines) and any("MAX_HOURS is over" in line for line in lines)
    assert record(limited)["state"] == "stopped"


def test_hours_are_counted_over_all_machines_of_a_job(job: Job) -> None:
    """And a job that has used them up rents no further machine."""
    limited = replace(job, job_id="sky-4", moves=3, max_hours=60.0 / 3600)
    asleep = "say(left=left); time.sleep(1.5); say(result={'left': left}); sys.exit(139)"
    assert run(limited, asleep)[0] == 75
    first = record(limited)["stages"][0]["left"]
    assert run(limited, asleep)[0] == 75
    second = record(limited)["stages"][0]["left"]
    assert first == pytest.approx(60, abs=1) and 1.4 < first - second < 30
    spent = record(limited)
    (limited.run / "job.json").write_text(json.dumps({**spent, "seconds": 61.0}))
    code, lines = run(limited, "say(phase='training')")
    assert code == 143 and "has used 0:01:01 already" in lines[0]
    assert run(replace(limited, job_id="sky-5"), "say(phase='training')")[0] == 0


def test_a_training_without_progress_is_ended_and_says_where_it_hangs(job: Job, capfd: Any) -> None:
    body = "import faulthandler; faulthandler.enable(); say(phase='evaluating')\ndef stuck(): time.sleep(600)\nstuck()"
    code, lines = run(job, body, Limits(grace=1.0, silence=1.0, heartbeat=60.0))
    assert code == 128 + signal.SIGABRT
    assert any("no sign of progress" in line for line in lines)
    assert "stuck" in capfd.readouterr().err


@pytest.mark.parametrize("hangs", [False, True])
def test_an_abort_is_blamed_on_another_machine_unless_it_was_this_watchers(job: Job, hangs: bool) -> None:
    """JAX aborts a training whose other machine is gone; so does who watches one that hangs."""
    together = replace(job, hosts=Hosts(0, 2, "127.0.0.1", "x"))
    body = f"say(phase='training'); {'time.sleep(600)' if hangs else 'os.abort()'}"
    code, lines = run(together, body, Limits(grace=1.0, silence=1.0 if hangs else 600.0, heartbeat=60.0))
    assert any("another machine" in line for line in lines) is not hangs
    assert (code, record(together)["state"]) == ((128 + signal.SIGABRT, "failed") if hangs else (75, "stopped"))


def test_a_training_that_is_deaf_as_well_is_killed(job: Job) -> None:
    body = "signal.signal(signal.SIGABRT, signal.SIG_IGN); say(phase='evaluating'); time.sleep(600)"
    began = time.monotonic()
    assert run(job, body, Limits(grace=1.0, silence=1.0, last_words=1.0, heartbeat=60.0))[0] == 137
    assert time.monotonic() - began < 60


def test_a_watcher_that_is_stuck_stops_no_training(job: Job, tmp_path: Path) -> None:
    """Events are dropped when the pipe is full."""
    reading, writing = os.pipe()
    from mesozoic.job.events import Events

    events = Events(writing)
    for step in range(20000):
        events.send(step=step, phase="training")
    os.close(reading)
    events.send(phase="nobody listens any more")
    os.close(writing)


WATCH = """
import os, sys
from mesozoic.job.environment import read_job
from mesozoic.job.supervisor import Limits, Supervisor
sys.exit(Supervisor(read_job(os.environ), sys.argv[1:], os.environ, lambda line: print(line, flush=True),
                    Limits(grace=3.0)).run())
"""


def start(job: Job, body: str, **variables: str) -> subprocess.Popen[str]:
    """A supervisor in a process of its own, once its child has begun."""
    environment = {**os.environ, "RESULTS": str(job.run.parent), "RUN_NAME": job.run.name, "STAGE": "1", **variables}
    words = [sys.executable, "-c", WATCH, *child(body)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (job.run / "job.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return process


SAVES = """
def save(number, frame):
    print("saved", flush=True)
    sys.exit(128 + number)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, save)
say(phase="training", pid=os.getpid())
time.sleep(60)
"""


@pytest.mark.parametrize(("moves", "code"), [("", 143), ("3", 75)])
def test_a_machine_that_is_taken_away(job: Job, moves: str, code: int) -> None:
    process = start(job, SAVES, JOB_MOVES=moves)
    process.send_signal(signal.SIGTERM)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == code
    assert out.count("saved") == 1 and "stopped by SIGTERM" in out
    assert record(job)["state"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_are_passed_on_as_well(job: Job, number: int) -> None:
    process = start(job, SAVES)
    process.send_signal(number)
    assert "saved" in process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number


def test_a_training_that_ignores_the_end_of_its_machine_is_killed(job: Job) -> None:
    process = start(job, "signal.signal(signal.SIGTERM, signal.SIG_IGN); say(phase='training'); time.sleep(600)")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143


def test_the_training_never_outlives_its_supervisor(job: Job, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux ends the child")
    pid_file = tmp_path / "pid"
    process = start(
        job, f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); say(phase='training'); time.sleep(600)"
    )
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid_file.read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
