"""Ending early without leaving machines behind: a closed terminal or `kill` counts as Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from mesozoic.errors import UserError


class Stopped(KeyboardInterrupt):
    """An interrupt by another signal than Ctrl-C's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def ended_by(interrupt: BaseException, problem: UserError) -> UserError:
    """`problem`, which exits with 128 + signal if it was an interrupt that caused it."""
    if isinstance(interrupt, KeyboardInterrupt):
        problem.exit_code = 128 + (interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT)
    return problem


@contextmanager
def end_by_interrupt() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise `Stopped`, so that what was rented is taken down first.

    One that is ignored stays ignored: `nohup` means that a closed terminal is no reason to stop.
    """

    def interrupt(number: int, _: FrameType | None) -> NoReturn:
        raise Stopped(number)

    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]
    try:
        before = {number: signal.signal(number, interrupt) for number in numbers}
    except ValueError:  # not in the main thread: whoever runs this there handles signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
