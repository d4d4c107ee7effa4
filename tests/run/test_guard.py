"""No sink stops, delays or kills a run, whatever it does; there is one warning."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mesozoic.run.sinks import Outcome, Place, Sink
from mesozoic.run.sinks.csv_sink import CsvSink
from mesozoic.run.sinks.guard import Guard, close_all
from mesozoic.run.sinks.tensorboard_sink import TensorBoardSink


class Scripted(Sink):
    """Does `act` at every row, and `end` at its end."""

    def __init__(self, act: Callable[[], object], end: Callable[[], object] = lambda: None) -> None:
        self._act, self._end = act, end
        self.rows: list[tuple[int, Mapping[str, float]]] = []
        self.outcomes: list[Outcome] = []
        self.abandoned = False

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self._act()
        self.rows.append((step, metrics))

    def close(self, outcome: Outcome) -> None:
        self._end()
        self.outcomes.append(outcome)

    def abandon(self) -> None:
        self.abandoned = True


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def place(tmp_path: Path, warnings: list[str]) -> Place:
    return Place(1, tmp_path, "title", {}, 0, warnings.append, lambda why: None)


@pytest.fixture
def hang() -> Callable[[], object]:
    event = threading.Event()
    yield event.wait
    event.set()


def full_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def never() -> bool:
    return False


def test_rows_arrive_in_order_and_the_end_comes_last(place: Place, warnings: list[str]) -> None:
    sink = Scripted(lambda: time.sleep(0.001))
    guard = Guard("sink", lambda _: sink, place)
    for step in range(50):
        guard.write(step, {"a": float(step)})
    close_all([guard], "preempted", never)
    assert sink.rows == [(step, {"a": float(step)}) for step in range(50)]
    assert (sink.outcomes, warnings, sink.abandoned) == (["preempted"], [], False)


def test_a_flush_waits_until_everything_is_taken(place: Place) -> None:
    sink = Scripted(lambda: time.sleep(0.02))
    guard = Guard("sink", lambda _: sink, place)
    for step in range(10):
        guard.write(step, {})
    guard.flush()
    assert len(sink.rows) == 10
    close_all([guard], "finished", never)


@pytest.mark.parametrize("when", ["open", "write", "close"])
def test_an_error_is_one_warning(place: Place, warnings: list[str], when: str) -> None:
    def opens(_: Place) -> Sink:
        return full_disk() if when == "open" else sink

    sink = Scripted(full_disk if when == "write" else time.monotonic, full_disk if when == "close" else time.monotonic)
    guard = Guard("tensorboard", opens, place)
    for step in range(20):
        guard.write(step, {})
        guard.flush()
    close_all([guard], "finished", never)
    assert len(warnings) == 1
    assert warnings[0].startswith("tensorboard: ") and "No space left" in warnings[0]
    assert sink.rows == [] or when == "close"


def test_an_error_cannot_move_the_cursor_or_forge_a_line(place: Place, warnings: list[str]) -> None:
    def opens(_: Place) -> Sink:
        raise OSError("\x1b[2Jnothing\rerror: forged\nerror: forged")

    close_all([Guard("sink", opens, place)], "finished", never)
    assert len(warnings) == 1 and warnings[0].isprintable()


@pytest.mark.parametrize("when", ["open", "write", "close"])
def test_a_sink_that_hangs_costs_no_more_than_its_deadline(
    place: Place, warnings: list[str], hang: Callable[[], object], when: str
) -> None:
    sink = Scripted(hang if when == "write" else time.monotonic, hang if when == "close" else time.monotonic)

    def opens(_: Place) -> Sink:
        if when == "open":
            hang()
        return sink

    guard = Guard("sink", opens, place, flush_seconds=0.3)
    began = time.monotonic()
    for step in range(100):
        guard.write(step, {})
    assert time.monotonic() - began < 0.2, "handing over takes no time"
    for _ in range(20):
        guard.flush()
    close_all([guard], "finished", never, seconds=0.3)
    assert time.monotonic() - began < 2.0
    assert len(warnings) == 1 and "did not answer" in warnings[0]
    assert sink.abandoned == (when != "open")


def test_a_sink_that_opens_too_late_is_let_go(place: Place, warnings: list[str]) -> None:
    sink, opening = Scripted(time.monotonic), threading.Event()

    def opens(_: Place) -> Sink:
        opening.wait(20.0)
        return sink

    guard = Guard("sink", opens, place, flush_seconds=0.1)
    guard.flush()
    assert len(warnings) == 1
    opening.set()
    deadline = time.monotonic() + 20
    while not sink.abandoned and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sink.abandoned and sink.rows == []


def test_a_sink_that_takes_nothing_is_given_up_when_its_queue_is_full(
    place: Place, warnings: list[str], hang: Callable[[], object]
) -> None:
    guard = Guard("sink", lambda _: Scripted(hang), place, size=10)
    for step in range(1000):
        guard.write(step, {})
    assert len(warnings) == 1 and "takes nothing" in warnings[0]


def test_a_stopped_run_waits_only_shortly(
    place: Place, hang: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesozoic.run.sinks.guard.HURRY_SECONDS", 0.2)
    guards = [Guard("sink", lambda _: Scripted(time.monotonic, hang), place) for _ in range(3)]
    began = time.monotonic()
    close_all(guards, "preempted", lambda: True, seconds=60.0)
    assert time.monotonic() - began < 5.0


def test_many_sinks_share_one_deadline(place: Place, warnings: list[str], hang: Callable[[], object]) -> None:
    guards = [Guard(f"sink {i}", lambda _: Scripted(time.monotonic, hang), place) for i in range(5)]
    began = time.monotonic()
    close_all(guards, "finished", never, seconds=0.5)
    assert time.monotonic() - began < 2.0
    assert len(warnings) == 5


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("kind", ["tensorboard", "csv"])
def test_a_disk_that_is_full_hangs_neither_table_nor_events(
    place: Place, warnings: list[str], kind: str, tmp_path: Path
) -> None:
    """TensorBoard's own writer has a thread that dies of it, and a queue that then blocks for ever."""

    def opens(_: Place) -> Sink:
        if kind == "csv":
            sink = CsvSink(tmp_path / "t.csv")
            (tmp_path / "t.csv").unlink()
            (tmp_path / "t.csv").symlink_to("/dev/full")
            sink._columns += ["a"]
            return sink
        events = TensorBoardSink(tmp_path / "events")
        events._file.close()
        events._file = open("/dev/full", "wb")  # noqa: SIM115
        return events

    guard = Guard(kind, opens, place)
    began = time.monotonic()
    for step in range(3000):
        guard.write(step, {"a": 1.0})
    guard.flush()
    close_all([guard], "finished", never)
    assert time.monotonic() - began < 8.0
    assert len(warnings) == 1
