"""What ends a command on purpose: a mistake that a user can mend, a signal, or a limit of time."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: one sentence that says what is wrong, the value seen and what to type next.

    The command line prints it without a traceback and exits with `exit_code`: 2, or 128 + signal if a signal ended
    what was going on.
    """

    exit_code = 2


class Stopped(Exception):
    """Work ended early on purpose, after saving what there was; run it again to go on.

    Attributes:
        exit_code: 75 (`EX_TEMPFAIL`: try again), or 128 + signal if a signal asked for it.
    """

    exit_code = 75


class Interrupted(Stopped):
    """Work stopped because of a signal. Exit with `exit_code`, 128 + signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the closest candidate, or an empty string."""
    close = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
