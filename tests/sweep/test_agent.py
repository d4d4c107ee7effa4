"""An agent on a machine: its share of the cores, run folders that a second try finds again, and how its runs ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mesozoic.cli.app import main
from mesozoic.errors import UserError
from mesozoic.sweep import agent, trial
from mesozoic.sweep.agent import Outcomes, claim_slot, read_outcomes, read_slots, slots_folder
from mesozoic.sweep.engines import agents
from mesozoic.sweep.engines.shares import share_of


@pytest.mark.parametrize(("cores", "slots"), [(8, 4), (7, 2), (30, 8), (2, 2), (124, 8)])
def test_every_core_belongs_to_one_agent(cores: int, slots: int) -> None:
    shares = [share_of(range(cores), slot, slots) for slot in range(slots)]
    assert sorted(core for share in shares for core in share) == list(range(cores))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_more_agents_than_cores_share() -> None:
    assert [share_of([4, 5], slot, 3) for slot in range(3)] == [[4], [4], [5]]


def test_a_slot_is_held_by_one_agent_at_a_time(tmp_path: Path) -> None:
    first, second = claim_slot(2, tmp_path), claim_slot(2, tmp_path)
    assert first is not None and second is not None
    assert {first[0], second[0]} == {0, 1}
    assert claim_slot(2, tmp_path) is None
    first[1].close()
    again = claim_slot(2, tmp_path)
    assert again is not None and again[0] == first[0]


def test_a_slots_folder_of_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = slots_folder()
    assert folder == slots_folder() and folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("prepared", ["link", "open to all", "file", "somebody else's"])
def test_a_slots_folder_that_another_user_has_prepared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"mesozoic-slots-{os.getuid()}"
    if prepared == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif prepared == "file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o777 if prepared == "open to all" else 0o700)
    if prepared == "somebody else's":
        monkeypatch.setattr("os.getuid", lambda: 4321)
        folder.rename(tmp_path / "mesozoic-slots-4321")
    with pytest.raises(UserError, match="set TMPDIR to a folder of your own"):
        slots_folder()


def test_a_slot_that_is_a_link_empties_nothing(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("precious")
    (tmp_path / "slot0").symlink_to(keys)
    with pytest.raises(UserError, match="should be a plain file"):
        claim_slot(1, tmp_path)
    assert keys.read_text() == "precious"


def test_a_run_gets_the_folder_of_its_wandb_run() -> None:
    words = trial.command(["train", "trex", "--ppo.gamma=0.9"], Path("/runs"), "abc")
    assert words[-5:] == ["train", "trex", "--ppo.gamma=0.9", "--output-dir", "/runs/abc"]


@pytest.mark.parametrize(
    "arguments", [["train", "--output-dir=x"], ["train", "--log-dir", "x"], ["eval", "trex"], ["--version"]]
)
def test_what_has_a_folder_or_needs_none_is_left_alone(arguments: list[str]) -> None:
    assert trial.command(arguments, Path("/runs"), "abc")[3:] == arguments


def trial_of(command: list[str]) -> str:
    """A program that is a trial with another command than mesozoic."""
    return (
        "import sys\nfrom mesozoic.sweep import trial\n"
        f"trial.command = lambda *_: {command!r}\nsys.exit(trial.main([]))"
    )


def run_trial(tmp_path: Path, command: list[str], *signals: int) -> tuple[int, list[dict[str, object]]]:
    """A trial whose command is another one, and what it wrote down."""
    record = tmp_path / "record.jsonl"
    environment = {**os.environ, trial.RECORD: str(record), "WANDB_RUN_ID": "abc"}
    process = subprocess.Popen([sys.executable, "-c", trial_of(command)], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if signals:
        process.stdout.readline()
    for number in signals:
        process.send_signal(number)
    process.wait(60)
    return process.returncode, [json.loads(line) for line in record.read_text().splitlines()]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_how_a_run_ended_is_written_down(tmp_path: Path, code: int) -> None:
    returned, lines = run_trial(tmp_path, [sys.executable, "-c", f"raise SystemExit({code})"])
    assert returned == code
    assert [line.get("code") for line in lines] == [None, code]
    assert {line["run"] for line in lines} == {"abc"}


def test_a_run_that_is_stopped_saves_first_and_is_no_crash_to_wandb(tmp_path: Path) -> None:
    """`wandb agent` gives up after three crashes in a minute; early termination must not look like that."""
    saved = tmp_path / "saved"
    training = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(saved)!r}, 'w').close(), sys.exit(143)))\n"
        "print('training', flush=True)\n"
        "time.sleep(60)"
    )
    returned, lines = run_trial(tmp_path, [sys.executable, "-c", training], signal.SIGTERM)
    assert returned == 0
    assert lines[-1]["code"] == 143
    assert saved.exists()


def test_a_run_dies_with_its_agent(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent died")
    alive = tmp_path / "alive"
    loop = f"import time\nwhile True: open({str(alive)!r}, 'w').close(); time.sleep(0.05)"
    program = trial_of([sys.executable, "-c", loop])
    agent_like = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"
    parent = subprocess.Popen([sys.executable, "-c", agent_like])
    for _ in range(600):
        if alive.exists():
            break
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    for _ in range(200):
        alive.unlink(missing_ok=True)
        time.sleep(0.3)
        if not alive.exists():
            return
    raise AssertionError("the run goes on although nobody waits for it")


def test_outcomes(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    assert read_outcomes(record).sentence() == "the sweep had no run left for this agent"
    for facts in ({"run": "a", "pid": 1}, {"run": "a", "code": 0}, {"run": "b", "pid": 2}, {"run": "b", "code": 143}):
        trial.write_record(record, **facts)
    found = read_outcomes(record)
    assert found.failed() == []
    assert found.sentence() == "1 of 2 runs finished; stopped early: b"
    trial.write_record(record, run="c", pid=3)
    trial.write_record(record, run="d", pid=4)
    trial.write_record(record, run="d", code=2)
    found = read_outcomes(record)
    assert found.failed() == ["c", "d"]
    assert found.sentence().endswith("FAILED: c (killed), d (exit 2)")
    assert found.pids["c"] == 3


def test_a_run_that_wandb_never_heard_of_has_failed() -> None:
    found = Outcomes({"a": 0, "b": 0}, silent=["b"])
    assert found.failed() == ["b"]
    assert "b (reported nothing to W&B)" in found.sentence()


def test_the_number_of_agents_on_a_machine() -> None:
    assert [read_slots(text) for text in ("", "1", "8")] == [1, 1, 8]
    for text in ("two", "-1", "0", "1.5", "²", "9" * 5000):
        with pytest.raises(UserError, match="is not a whole number above 0"):
            read_slots(text)


@pytest.mark.parametrize("arguments", [[], ["abc"], ["project/abc"], ["a//b"], ["a/b/c", "d"]])
def test_which_sweep(arguments: list[str]) -> None:
    with pytest.raises(UserError, match="give the sweep as ENTITY/PROJECT/ID"):
        agent.main(arguments)


@pytest.mark.parametrize(
    ("variables", "words", "sentence"),
    [
        ({}, [""], "give the sweep as ENTITY/PROJECT/ID (a rented one in SWEEP_ID), not ''"),
        ({}, ["project/id"], "not 'project/id'"),
        ({}, ["a/b/c"], "there is no key for W&B"),
        ({"WANDB_API_KEY": "k", "MAX_HOURS": "0"}, ["a/b/c"], "MAX_HOURS=0 is not a number of hours above 0"),
        ({"WANDB_API_KEY": "k", "SLOTS": "0"}, ["a/b/c"], "SLOTS=0 is not"),
    ],
)
def test_an_agent_that_cannot_work_says_so_in_one_sentence(
    tmp_path: Path, variables: dict[str, str], words: list[str], sentence: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "NETRC"))}
    environment = {**kept, "HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_BASE_URL": "", **variables}
    command = [sys.executable, "-m", "mesozoic.sweep.agent", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ") and sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nonsense"], "give the sweep as ENTITY/PROJECT/ID"),
        (["a/b/c"], "there is no key for W&B; type 'wandb login'"),
        (["a/b/c", "--max-hours", "nan"], "--max-hours nan is not above 0"),
        (["a/b/c", "--gpus", "none"], "--gpus 'none' is no number of GPUs"),
    ],
)
def test_agents_that_cannot_work_are_refused_once_and_not_started(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    sentence: str,
) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_") or name == "NETRC"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("mesozoic.sweep.engines.agents.run_agents", lambda *_: pytest.fail("agents were started"))
    monkeypatch.setattr("sys.argv", ["mesozoic", "sweep", "agent", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2 and sentence in capsys.readouterr().err


def test_agents_that_do_not_end_when_asked_are_killed_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One grace for all of them, not one after the other."""
    deaf = tmp_path / "deaf"
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\ntouch {tmp_path}/ready$SLOTS.$$\nexec sleep 300\n")
    deaf.chmod(0o755)
    monkeypatch.setattr(agents.sys, "executable", str(deaf))
    monkeypatch.setattr(agents, "GRACE", 1.0)

    def ask() -> None:
        end = time.monotonic() + 120
        while len(list(tmp_path.glob("ready3.*"))) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    said: list[str] = []
    threading.Thread(target=ask, daemon=True).start()
    assert agents.run_agents("a/b/c", 3, None, None, said.append) == 128 + signal.SIGKILL
    assert said[-1] == "3 of 3 agents did not end within 1 s; killing them"
