"""Keeps a sink from stopping, delaying or killing a run: a thread of its own, a bounded queue, deadlines."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mesozoic.errors import plain
from mesozoic.redact import redact
from mesozoic.run.sinks import OpenSink, Outcome, Place, Sink

QUEUE = 2000
"""Rows that wait for a slow sink; what comes on top is lost."""
FLUSH_SECONDS = 10.0
CLOSE_SECONDS = 45.0
"""Given to all sinks together for their end, so that a process ends about a minute after its result at the latest."""
HURRY_SECONDS = 8.0
"""Given to a sink for its end when the run was stopped: the machine may go away."""


class Guard:
    """A sink in a thread of its own. Nothing it does is felt by the caller, but one warning.

    Args:
        name: how warnings call it.
    """

    def __init__(
        self,
        name: str,
        open_sink: OpenSink,
        place: Place,
        size: int = QUEUE,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._name, self._open, self._place = name, open_sink, place
        self._flush_seconds = flush_seconds
        self._sink: Sink | None = None
        self._queue: queue.Queue[Callable[[Sink], Any]] = queue.Queue(size)
        self._gave_up = threading.Event()
        self._warning = threading.Lock()
        threading.Thread(target=self._work, name=f"sink {name}", daemon=True).start()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        row = dict(metrics)
        self._put(lambda sink: sink.write(step, row))

    def flush(self) -> None:
        """Wait until the sink has taken everything, but not longer than its deadline."""
        taken = threading.Event()
        if self._put(lambda sink: taken.set()):
            self._wait(taken, time.monotonic() + self._flush_seconds)

    def begin_close(self, outcome: Outcome) -> threading.Event | None:
        """Ask the sink to end; the event says that it has."""
        closed = threading.Event()

        def end(sink: Sink) -> None:
            sink.close(outcome)
            closed.set()

        return closed if self._put(end) else None

    def end_close(self, closed: threading.Event, deadline: float, hurry: Callable[[], bool]) -> None:
        """Wait for the end, but not beyond `deadline`, and only shortly once `hurry()` is true."""
        self._wait(closed, deadline, hurry)
        self._gave_up.set()

    def _put(self, action: Callable[[Sink], Any]) -> bool:
        if self._gave_up.is_set():
            return False
        try:
            self._queue.put_nowait(action)
        except queue.Full:
            self._give_up("it takes nothing any more")
            return False
        return True

    def _wait(self, event: threading.Event, deadline: float, hurry: Callable[[], bool] = lambda: False) -> None:
        began, hurried = time.monotonic(), False
        while not (event.wait(0.05) or self._gave_up.is_set()):
            now = time.monotonic()
            if not hurried and hurry():
                hurried, deadline = True, min(deadline, now + HURRY_SECONDS)
            if now >= deadline:
                self._give_up(f"it did not answer within {now - began:.0f} s")

    def _work(self) -> None:
        try:
            sink = self._sink = self._open(self._place)
            if self._gave_up.is_set():  # while it was being opened
                sink.abandon()
            while not self._gave_up.is_set():
                try:
                    action = self._queue.get(timeout=1.0)
                except queue.Empty:
                    continue
                action(sink)
        except Exception as error:  # its disk is full, its service is gone: training goes on
            self._give_up(reason(error))

    def _give_up(self, why: str) -> None:
        with self._warning:
            if self._gave_up.is_set():
                return
            self._gave_up.set()
        self._place.warn(f"{self._name}: {why}; nothing more is written there, training goes on")
        if self._sink is not None:
            self._sink.abandon()


def reason(error: BaseException) -> str:
    """The first line of an error's message, or its name if it has none."""
    return plain(redact((str(error).splitlines() or [type(error).__name__])[0]))[:200]


def close_all(
    guards: Sequence[Guard], outcome: Outcome, hurry: Callable[[], bool], seconds: float = CLOSE_SECONDS
) -> None:
    """End sinks side by side; all of them together have `seconds`."""
    deadline = time.monotonic() + seconds
    for guard, closed in [(guard, guard.begin_close(outcome)) for guard in guards]:
        if closed is not None:
            guard.end_close(closed, deadline, hurry)
