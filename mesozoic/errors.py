"""What ends a command on purpose: a mistake that a user can mend, a signal, or a limit of time."""

from __future__ import annotations

import difflib
import errno
import signal
from collections.abc import Iterable

LONGEST = 300
"""Characters of a sentence, where only what somebody typed makes it longer."""


class UserError(Exception):
    """Bad input: one sentence that says what is wrong, the value seen and what to type next.

    The command line prints it without a traceback and exits with `exit_code`: 2, or 128 + signal if a signal ended
    what was going on.
    """

    exit_code = 2


class Problems(UserError):
    """Several mistakes found at once, a sentence each in `sentences`; of a single one it is the sentence itself."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(dict.fromkeys(sentences))
        super().__init__("; ".join(self.sentences))


def sentences_of(error: UserError) -> tuple[str, ...]:
    """What an error says, mistake by mistake."""
    return error.sentences if isinstance(error, Problems) else (str(error),)


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


FULL_OR_CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""Failures of a disk that a user can mend."""
IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO)
"""Something else is where a file should be, or no file can be there."""


def ending_of(error: BaseException) -> tuple[str, int] | None:
    """What to tell somebody whose work ended with `error`, and the exit code; None for a fault of this program."""
    if isinstance(error, UserError):
        sentences = [brief(plain(one)) for one in sentences_of(error)]
        if len(sentences) == 1:
            return f"error: {sentences[0]}", error.exit_code
        listed = "".join(f"\n  - {one}" for one in sentences)
        return f"error: {len(sentences)} things are wrong{listed}", error.exit_code
    if isinstance(error, Stopped):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 128 + signal.SIGINT
    if isinstance(error, OSError) and error.errno in (*FULL_OR_CLOSED, *IN_THE_WAY):
        place = error.filename2 or error.filename
        where = f" at {place}" if place else ""
        what = "make room" if error.errno in FULL_OR_CLOSED else "move away what is there"
        advice = f"{what} or choose another place, then run the same command to go on"
        return f"error: {brief(plain(f'{error.strerror}{where}; {advice}'))}", UserError.exit_code
    return None


def shown(value: object, limit: int = 80) -> str:
    """A value that somebody gave, fit to be part of a sentence: one line, nothing unprintable, not endless."""
    text = value if isinstance(value, str) and value.isprintable() else written(value)
    return text if len(text) <= limit else f"{text[: limit - 20]}... ({len(text)} characters)"


def written(value: object) -> str:
    """`repr(value)`, also of a number with too many digits and of what is nested too deeply."""
    try:
        return repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too large to write"


def plain(sentence: str) -> str:
    """The sentence with everything escaped that would move the cursor of a terminal or begin another line."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in sentence)


def brief(sentence: str) -> str:
    """The sentence with its longest words (paths, values that were typed) cut in their middle until it can be read."""
    for most in (140, 100, 70, 50):
        if len(sentence) <= LONGEST:
            return sentence
        sentence = " ".join(_cut(word, most) for word in sentence.split(" "))
    return _cut(sentence, 3 * LONGEST)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}...{text[-most // 4 :]}"


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the closest candidate, or an empty string."""
    close = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
