"""Ending early without leaving machines behind: a closed terminal or `kill` counts as Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def end_by_interrupt() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise `KeyboardInterrupt`, so that what was rented is taken down first."""

    def interrupt(number: int, _: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    try:
        before = {number: signal.signal(number, interrupt) for number in numbers}
    except ValueError:  # not in the main thread: whoever runs this there handles signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
