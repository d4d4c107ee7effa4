"""Tickets of a local sweep: however many launchers work on them and die, each is tried to its end exactly once."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the extra [sweep]")

from mesozoic.errors import UserError
from mesozoic.sweep.engines.board import best_of
from mesozoic.sweep.engines.storage import open_storage
from mesozoic.sweep.engines.study import Study
from mesozoic.sweep.plan import SweepPlan, SweepRequest, plan_sweep

SPACE = {
    "ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"},
    "ppo_n_epochs": {"type": "integer", "min": 2, "max": 9},
    "ppo_net_arch": {"type": "categorical", "values": ["small", [64, 64]]},
}
CHOICES = {
    "ppo_n_epochs": {"type": "discrete", "values": [1, 2, 3]},
    "ppo_net_arch": {"type": "categorical", "values": ["small", "large"]},
}


def plan_of(space: dict[str, Any] = SPACE, **changes: Any) -> SweepPlan:
    values: dict[str, Any] = {"sampler": "random", "pruner": "none", "trials": 12}
    return plan_sweep(SweepRequest("velociraptor", 1, text=json.dumps(space), **values | changes))


def study_in(folder: Path, plan: SweepPlan, place: str | None = None) -> Study:
    study = Study(plan, open_storage(place, folder), "sweep", place)
    study.refresh()
    return study


LAUNCHER = """
import json, os, random, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_study import plan_of, study_in

folder, place = Path(sys.argv[1]), sys.argv[2] or None
draw = random.Random(os.getpid())
study = study_in(folder, plan_of(trials=40), place)
while not all(row.over for row in study.rows()):
    ticket = study.take()
    if ticket is None:
        study.refresh()
        time.sleep(0.05)
        continue
    with (folder / f"{ticket.id}.txt").open("a") as note:
        note.write(json.dumps(ticket.point) + "\\n")
    study.report(ticket, 100, 0.5)
    time.sleep(draw.random() * 0.05)
    if draw.random() < 0.15:
        os._exit(9)  # as kill -9 would
    study.end(ticket, "budget", float(ticket.number), "")
    (folder / f"{ticket.id}.done").open("x").close()
"""


def work_together(folder: Path, place: str | None, launchers: int = 4) -> None:
    """Launchers side by side, each replaced when it dies, until every ticket is over."""

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", LAUNCHER, str(folder), place or "", str(Path(__file__).parent)]
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)

    running, deadline = [start() for _ in range(launchers)], time.monotonic() + 400
    while running:
        assert time.monotonic() < deadline
        for one in list(running):
            code = one.poll()
            if code is None:
                continue
            running.remove(one)
            assert code in (0, 9), one.communicate()[1]
            if code == 9:
                running.append(start())
        time.sleep(0.05)
    rows = study_in(folder, plan_of(trials=40), place).rows()
    assert [(row.state, row.value) for row in rows] == [("budget", float(number)) for number in range(40)]
    for row in rows:
        points = set((folder / f"{row.id}.txt").read_text().splitlines())
        assert len(points) == 1, "a ticket is tried again with the same values"
        assert (folder / f"{row.id}.done").exists()
    assert len({json.dumps(row.point) for row in rows}) == 40


@pytest.mark.e2e
def test_four_launchers_that_die_now_and_then_share_one_journal(tmp_path: Path) -> None:
    work_together(tmp_path, None)


@pytest.mark.e2e
def test_four_launchers_that_die_now_and_then_share_a_postgresql(tmp_path: Path, postgresql: str) -> None:
    work_together(tmp_path, postgresql)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_same_seed_draws_the_same_points(tmp_path: Path, sampler: str) -> None:
    """Also if the launcher begins anew in between; another seed draws others."""
    plan = plan_of(sampler=sampler, trials=14)

    def points(folder: str, cut: int, plan: SweepPlan = plan) -> list[dict[str, Any]]:
        (tmp_path / folder).mkdir()
        study, found = study_in(tmp_path / folder, plan), []
        for number in range(plan.trials):
            if number == cut:
                study = study_in(tmp_path / folder, plan)
            ticket = study.take()
            assert ticket is not None
            found.append(ticket.point)
            study.end(ticket, "budget", -abs(ticket.point["ppo.learning_rate"] - 1e-4), "")
        assert study.take() is None
        return found

    whole = points("whole", cut=99)
    assert points("cut", cut=7) == whole
    other = replace(plan, spec=replace(plan.spec, seed=1))
    assert points("other", cut=99, plan=other) != whole
    assert {type(point["ppo.n_epochs"]) for point in whole} == {int}
    assert any(point["ppo.net_arch"] == [64, 64] for point in whole)


def test_a_grid_is_tried_in_full_and_no_more(tmp_path: Path) -> None:
    plan = plan_of(CHOICES, sampler="grid", trials=None)
    study, found = study_in(tmp_path, plan), []
    while (ticket := study.take()) is not None:
        found.append((ticket.point["ppo.n_epochs"], ticket.point["ppo.net_arch"]))
        study.end(ticket, "budget", 0.0, "")
    assert found == [(epochs, arch) for epochs in (1, 2, 3) for arch in ("small", "large")]
    with pytest.raises(UserError, match="a grid takes lists of values only"):
        plan_of(SPACE, sampler="grid")


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_the_worst_trials_are_pruned_and_the_best_is_not(tmp_path: Path, pruner: str) -> None:
    plan = plan_of(pruner=pruner, trials=18)
    study, steps, budget = study_in(tmp_path, plan), 0, plan.budget
    for _ in range(plan.trials):
        ticket = study.take()
        assert ticket is not None
        worth = 1 / (1 + ticket.number)  # the first one is the best
        for step in range(plan.first, budget + 1, plan.first):
            steps += plan.first
            why = study.report(ticket, step, worth)
            if why is not None:
                assert f"pruned by {pruner}" in why
                study.end(ticket, "pruned", worth, why)
                break
        else:
            study.end(ticket, "budget", worth, "")
    rows = study.rows()
    assert rows[0].state == "budget" and best_of(rows) == rows[0]
    assert sum(row.state == "pruned" for row in rows) >= 4
    assert steps < 0.9 * plan.trials * budget


def test_a_ticket_that_was_handed_back_goes_on_with_what_it_reported(tmp_path: Path) -> None:
    study = study_in(tmp_path, plan_of(trials=1))
    ticket = study.take()
    assert ticket is not None and study.take() is None
    study.report(ticket, 100, 0.25)
    study.hand_back(ticket)
    (row,) = study.rows()
    assert row.state == "waiting" and not row.over
    again = study.take()
    assert again is not None and again.point == ticket.point
    (row,) = study.rows()
    assert (row.state, row.step, row.value) == ("running", 100, 0.25)


def test_a_failure_is_kept_with_its_reason_and_can_be_tried_once_more(tmp_path: Path) -> None:
    study = study_in(tmp_path, plan_of(trials=1))
    ticket = study.take()
    assert ticket is not None
    study.end(ticket, "failed", None, "its disk is full")
    study.refresh()
    (row,) = study.rows()
    assert (row.state, row.why, row.over) == ("failed", "its disk is full", True)
    assert study.take() is None
    study.once_more(ticket)
    again = study.take()
    assert again is not None and (again.point, again.generation) == (ticket.point, 1)
    study.end(again, "passed", 1.5, "")
    (row,) = study.rows()
    assert (row.state, row.value) == ("passed", 1.5)


def test_what_a_silent_machine_had_is_taken_over_and_it_hears_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = study_in(tmp_path, plan_of(trials=1))
    monkeypatch.setattr(silent, "_owner", "elsewhere:1:2")
    ticket = silent.take()
    assert ticket is not None
    other = study_in(tmp_path, plan_of(trials=1))
    assert other.take() is None, "it has just given a sign of life"
    monkeypatch.setattr("mesozoic.sweep.engines.study.SILENT", -1.0)
    other.refresh()
    again = other.take()
    assert again is not None and again.point == ticket.point
    assert silent.report(ticket, 100, 0.5) == "another launcher has taken it over"
    silent.end(ticket, "pruned", 0.5, "")
    silent.hand_back(ticket)
    silent.beat(ticket, at_once=True)
    other.end(again, "budget", 0.75, "")
    (row,) = silent.rows()
    assert (row.state, row.value) == ("budget", 0.75) and silent.take() is None


def test_more_trials_can_be_added(tmp_path: Path) -> None:
    study = study_in(tmp_path, plan_of(trials=1))
    first = study.take()
    assert first is not None
    study.end(first, "budget", 0.5, "")
    more = study_in(tmp_path, plan_of(trials=2))
    assert [row.state for row in more.rows()] == ["budget", "waiting"]


def test_another_sweep_of_the_same_name_is_refused(tmp_path: Path) -> None:
    study_in(tmp_path, plan_of())
    with pytest.raises(UserError, match="study 'sweep' is another sweep"):
        study_in(tmp_path, plan_of(seed=1))


def test_a_line_that_a_killed_launcher_left_half_written_is_let_go(tmp_path: Path) -> None:
    study = study_in(tmp_path, plan_of(trials=1))
    ticket = study.take()
    assert ticket is not None
    study.end(ticket, "budget", 0.5, "")
    with (tmp_path / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code": 5, "worker_')
    again = study_in(tmp_path, plan_of(trials=2))
    assert again.take() is not None
    assert [row.state for row in study_in(tmp_path, plan_of(trials=2)).rows()] == ["budget", "running"]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("postgresql://me:topsecret@127.0.0.1:9/x", "cannot use .*check --storage"),
        ("nonsense://x", "cannot use nonsense://x"),
        ("/dev/null/journal.log", r"cannot use /dev/null \(.*\); check --storage"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_sentence_without_the_password(
    tmp_path: Path, place: str, sentence: str
) -> None:
    if place.startswith("postgresql"):
        pytest.importorskip("psycopg2", reason="needs the driver of PostgreSQL")
    with pytest.raises(UserError, match=sentence) as caught:
        study_in(tmp_path, plan_of(), place)
    assert "topsecret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_launcher_that_hangs_in_the_journal_holds_nobody_up_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_in(tmp_path, plan_of())
    monkeypatch.setattr("mesozoic.sweep.engines.storage.LOCK_SECONDS", 0.2)
    with (tmp_path / ".journal.log.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"another process has held .*\.journal\.log\.lock for 0\.2 seconds"):
            study_in(tmp_path, plan_of())
    study_in(tmp_path, plan_of())
