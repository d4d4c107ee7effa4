"""What a person sees of a local sweep."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

pytest.importorskip("optuna", reason="needs the extra [sweep]")

from mesozoic.sweep.engines import board
from mesozoic.sweep.engines.board import Board, best_of, clock, described
from mesozoic.sweep.engines.shares import Share, shares
from mesozoic.sweep.engines.study import Row, Ticket
from mesozoic.sweep.engines.worker import Worker

POINT = {"ppo.learning_rate": 0.00012345, "ppo.net_arch": [64, 64], "seed": 3}
ROWS = [
    Row("1", "budget", POINT, 0.5, 512),
    Row("2", "pruned", POINT, 0.9, 128),
    Row("3", "passed", POINT, 1.25, 400),
    Row("4", "running", POINT, 0.1, 128),
    Row("5", "waiting", {}, None, None),
]


def test_the_table_shows_what_runs_the_best_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "EVERY", 0.0)
    seen = io.StringIO()
    shown = Board("trex stage 1", 512, Console(file=seen, force_terminal=True, width=140, highlight=False))
    worker = Worker(Share(0, (0,)))
    worker.ticket, worker.step, worker.value = Ticket(3, 0, dict(POINT), None, 0.0), 128, 0.125  # type: ignore[arg-type]
    shown.begin()
    shown.show(ROWS[3:], [worker])  # nothing was over then
    shown.say("trial 3 passed")
    shown.show(ROWS, [worker, Worker(Share(1, (1,)))])
    shown.end()
    text = seen.getvalue()
    assert "3 of 5 trials over, best 1.2500 (trial 3)" in text and "left" in text
    assert "128 of 512" in text and "0.1250" in text and "learning_rate=0.000123" in text
    assert "trial 3 passed" in text


def test_without_a_terminal_there_are_lines_only() -> None:
    seen = io.StringIO()
    shown = Board("trex stage 1", 512, Console(file=seen))
    shown.begin()
    shown.show(ROWS, [])
    shown.say("trial 3 passed")
    shown.end()
    assert seen.getvalue() == "trial 3 passed\n"


def test_the_best_is_one_that_ran_to_its_end() -> None:
    assert best_of(ROWS) == ROWS[2]
    assert best_of(ROWS[1:2]) is None
    assert [row.over for row in ROWS] == [True, True, True, False, False]


def test_values_and_times_in_few_signs() -> None:
    assert described(POINT) == "learning_rate=0.000123  net_arch=[64, 64]  seed=3"
    assert (clock(59), clock(3700)) == ("1 min", "1:02 h")


def test_every_gpu_has_a_trial_and_a_part_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,GPU-abc")
    found = shares(None)
    assert [one.gpu for one in found] == ["0", "GPU-abc"]
    assert [one.gpu for one in shares(3)] == ["0", "GPU-abc", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [one.cores for one in shares(None)] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert [one.cores for one in shares(3)] == [(0, 1), (2, 3, 4), (5, 6, 7)]
    assert {one.gpu for one in shares(2)} == {""}
