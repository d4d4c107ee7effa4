"""The one error type for mistakes a user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: one sentence that says what is wrong, the value seen and what to type next.

    The command line prints it without a traceback and exits with `exit_code`: 2, or 128 + signal if a signal ended
    what was going on.
    """

    exit_code = 2


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the closest candidate, or an empty string."""
    close = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
