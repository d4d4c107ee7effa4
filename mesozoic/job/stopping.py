"""The end of a process that somebody watches: asked for by a signal or a limit of time, and forced after a grace."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
GRACE = 600.0
"""Seconds from the request to stop to the kill: a training writes its checkpoint in them, also into a slow bucket."""


class Stopping:
    """While entered, signals are a request to stop; those that were ignored before, as by nohup, stay ignored.

    Args:
        hand_on: called with the first signal, at once; later ones change nothing.
        grace: seconds from the first request to the kill.

    Attributes:
        signal: the one that asked for the end, if one did.
    """

    def __init__(self, hand_on: Callable[[int], None] = lambda number: None, grace: float = GRACE) -> None:
        self._hand_on, self._grace = hand_on, grace
        self.signal: int | None = None
        self._kill_at: float | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._previous = {number: signal.signal(number, self._on_signal) for number in heard}
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
            self._kill_at = time.monotonic() + self._grace
            self._hand_on(number)

    def time_is_over(self) -> None:
        """The end is due, without a signal; a second call changes nothing."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace

    @property
    def begun(self) -> bool:
        """Whether the end was asked for."""
        return self._kill_at is not None

    @property
    def overdue(self) -> bool:
        """Whether the grace is over; of several processes, all that are left are killed then."""
        return self._kill_at is not None and time.monotonic() >= self._kill_at

    def kill_if_due(self, process: subprocess.Popen[bytes], say: Callable[[str], object]) -> None:
        """Kill a process that has not ended within the grace."""
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            say(f"it did not end within {self._grace:.0f} s; killing it")
            process.kill()
            self._kill_at = now + self._grace
