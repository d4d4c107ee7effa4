"""An agent on a machine: its share of the cores, run folders that a second try finds again, and how its runs ended."""

from __future__ import annotations

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
from mesozoic.run.agent_folder import RUNS
from mesozoic.run.folder import choose_run_folder
from mesozoic.sweep import agent
from mesozoic.sweep.agent import hours_left, read_count, runs_left
from mesozoic.sweep.agent_runs import AgentRuns, Ending
from mesozoic.sweep.engines import agents
from mesozoic.sweep.engines.shares import share_of
from mesozoic.sweep.slots import claim_slot, slots_folder
from mesozoic.sweep.trial_record import State, TrialRecord
from mesozoic.sweep.wandb_sweep import SweepFacts


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


def test_a_run_gets_the_folder_that_its_agent_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNS, "/runs")
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert choose_run_folder(None, None, "x") == Path("/runs/abc")
    assert choose_run_folder(Path("mine"), None, "x") == Path("mine")
    assert choose_run_folder(None, tmp_path, "x").parent == tmp_path
    monkeypatch.delenv("WANDB_RUN_ID")
    monkeypatch.chdir(tmp_path)
    assert choose_run_folder(None, None, "x").parent == Path("runs")


def began(folder: Path, *runs: str) -> AgentRuns:
    """The runs of an agent that began these, one after the other."""
    started = folder / "files" / "wandb" / "sweep-s"
    started.mkdir(parents=True, exist_ok=True)
    for place, run in enumerate(runs):
        (started / f"config-{run}.yaml").touch()
        os.utime(started / f"config-{run}.yaml", (place, place))
    return AgentRuns("s", folder / "files", folder, trials=True)


def leave(folder: Path, run: str, state: State, why: str = "") -> None:
    (folder / run).mkdir(exist_ok=True)
    TrialRecord(run, "wandb", {}, {}, "score", 1, state=state, why=why).save(folder / run)


def test_how_runs_ended_is_in_their_records(tmp_path: Path) -> None:
    mine = began(tmp_path, "a", "b", "c", "d", "e", "f")
    states: tuple[State, ...] = ("passed", "pruned", "pre-empted", "failed", "running")
    for run, state in zip("abcde", states, strict=True):
        leave(tmp_path, run, state, "no disk" if state == "failed" else "")
    assert mine.begun() == list("abcdef")
    endings = {run: mine.ending(run, {"a": "finished", "f": "crashed"}, gone=True) for run in "acdef"}
    assert [one.how for one in endings.values()] == ["finished", "stopped", "failed", "failed", "failed"]
    said = mine.sentence(endings)
    assert said.startswith("1 of 5 runs finished; stopped early: c; FAILED: d (no disk), e (killed), f (left no record")
    assert mine.sentence({}) == "the sweep had no run left for this agent"
    assert mine.ending("e", None, gone=False).how == mine.ending("f", None, gone=False).how == "running"


def test_a_run_that_wandb_never_heard_of_has_failed(tmp_path: Path) -> None:
    mine = began(tmp_path, "a")
    leave(tmp_path, "a", "budget")
    assert mine.ending("a", {"a": "pending"}, gone=True) == Ending("failed", "reported nothing to W&B")
    assert mine.ending("a", None, gone=True).how == "finished"  # W&B was not asked, or does not answer


@pytest.mark.parametrize(
    ("state", "how"), [("finished", "finished"), ("preempted", "stopped"), ("crashed", "failed"), ("failed", "failed")]
)
def test_how_a_run_of_another_command_ended_says_wandb(tmp_path: Path, state: str, how: str) -> None:
    assert began(tmp_path, "a").ending("a", {"a": state}, gone=True).how == how


def test_failures_in_a_row(tmp_path: Path) -> None:
    asked: list[str] = []

    def states() -> dict[str, str]:
        asked.append("")
        return {"f": "crashed"}

    assert began(tmp_path).failures_in_a_row(states) == (0, "")
    mine = began(tmp_path, "a", "b", "c", "d")
    for run, state in zip("abcd", ("failed", "budget", "failed", "running"), strict=True):
        leave(tmp_path, run, state, f"{run} broke")  # type: ignore[arg-type]
    assert mine.failures_in_a_row(states) == (1, "c broke")  # the last one still trains
    leave(tmp_path, "d", "failed", "d broke")
    assert mine.failures_in_a_row(states) == (2, "d broke")
    assert asked == []
    mine = began(tmp_path, "a", "b", "c", "d", "e", "f", "g")
    leave(tmp_path, "e", "pre-empted")  # neither a failure nor a success
    count, why = mine.failures_in_a_row(states)
    assert count == 3 and "W&B calls it crashed" in why and len(asked) == 1
    mine.failures_in_a_row(states)
    assert len(asked) == 1


def test_runs_that_are_left_of_a_sweep() -> None:
    states = {"a": "finished", "b": "crashed", "c": "running", "d": "preempted"}
    assert runs_left(SweepFacts("RUNNING", states, {"run_cap": 5})) == 3
    assert runs_left(SweepFacts("RUNNING", states, {"run_cap": 1})) == 0
    assert runs_left(SweepFacts("RUNNING", states, {})) is None


def test_the_number_of_agents_on_a_machine() -> None:
    assert [read_count("SLOTS", text, 1) for text in ("", "1", "8")] == [1, 1, 8]
    for text in ("two", "-1", "0", "1.5", "²", "9" * 5000):
        with pytest.raises(UserError, match="is not a whole number above 0"):
            read_count("SLOTS", text, 1)


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
        ({"WANDB_API_KEY": "k", "MAX_FAILURES": "no"}, ["a/b/c"], "MAX_FAILURES=no is not"),
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
    assert agents.run_agents("a/b/c", 3, None, 3, None, said.append) == 128 + signal.SIGKILL
    assert said[-1] == "3 of 3 agents did not end within 1 s; killing them"


def test_an_agent_that_begins_late_ends_with_the_others() -> None:
    """What a sweep costs depends on when its last agent ends, not on how long each of them works."""
    now = int(time.time())
    assert hours_left(None, "") is None and hours_left(2.0, "") == 2.0
    assert hours_left(2.0, str(now + 3600)) == pytest.approx(1.0, abs=0.01)
    assert hours_left(0.5, str(now + 3600)) == 0.5 and hours_left(None, str(now + 7200)) == pytest.approx(2, abs=0.01)
    with pytest.raises(UserError, match="UNTIL=tomorrow is no time in seconds since 1970"):
        hours_left(None, "tomorrow")
