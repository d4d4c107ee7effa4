"""Turns SIGTERM, SIGINT and SIGHUP into a request to stop at the next safe point; a second one ends the process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, ClassVar

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
SAME = 0.5
"""Seconds within which further signals count as copies of the first: a shell and its terminal both send one."""


class Interrupts:
    """While entered, remembers the first signal instead of dying of it; a second one ends the process at once.

    A thread that is woken by the C level of Python's signal handling counts them, so that a second signal ends the
    process also while its main thread is in somebody else's code. Signals that were ignored when the process began
    (`nohup`, a background job of a script) stay ignored. Outside of the main thread nothing is caught. Entered again
    inside of itself it is the outer one, so that no signal between two stages is lost.

    Attributes:
        received: the first signal.
    """

    _active: ClassVar[Interrupts | None] = None

    def __init__(self, same: float = SAME) -> None:
        self.received: int | None = None
        self._same = same
        self._previous: dict[int, Any] = {}
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        if Interrupts._active is not None:
            return Interrupts._active
        Interrupts._active = self
        previous = {number: signal.getsignal(number) for number in SIGNALS}
        self._previous = {
            number: handler for number, handler in previous.items() if handler not in (signal.SIG_IGN, None)
        }
        if hasattr(os, "set_blocking"):
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            self._previous_fd = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            threading.Thread(target=self._count, args=(self._pipe[0],), name="signals", daemon=True).start()
        for number in self._previous:
            signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if Interrupts._active is not self:
            return
        Interrupts._active = None
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._pipe is not None:
            signal.set_wakeup_fd(self._previous_fd)
            os.close(self._pipe[1])  # the thread reads the end of the pipe and closes the other side
        self._previous, self._pipe = {}, None

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received = number

    def _count(self, pipe: int) -> None:
        first: float | None = None
        while got := os.read(pipe, 64):
            now = time.monotonic()
            for number in got:
                if number not in self._previous:
                    continue
                if first is None:
                    first = now
                    self._on_signal(number, None)
                elif now - first >= self._same:
                    _die(number)
        os.close(pipe)


def _die(number: int) -> None:
    cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    os.write(2, f"{cursor}stopped at once by a second {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)
