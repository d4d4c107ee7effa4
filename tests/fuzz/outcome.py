"""Runs a command in this process, up to where it would simulate, and says what is wrong with how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

SECONDS = 30
"""That a command may take in this process."""
MEMORY_MB = 1500
"""That one command may add to the most memory that this process ever used."""
LONGEST = 300
tally: Counter[str] = Counter()
"""How many inputs were accepted and how many refused: a fuzz that only ever meets one of them tries nothing."""
last: dict[str, Any] = {}
"""Exit code and standard error of the last command."""
ASIDE = ("note: ", "warning: ", "  - ")


class Began(BaseException):
    """The command got so far that it would simulate: all that it was given is accepted."""


class Hangs(BaseException):
    """It took too long."""


def begin(*_: Any, **__: Any) -> Any:
    raise Began


@contextlib.contextmanager
def before_simulating() -> Iterator[None]:
    """End every command where physics would begin; what comes before it is all real."""
    import mesozoic.bench.rates
    import mesozoic.evaluation.robustness
    import mesozoic.rendering.recording
    import mesozoic.run.evaluation
    import mesozoic.run.train_stage

    with contextlib.ExitStack() as stack:
        for place, name in (
            (mesozoic.run.train_stage, "baselines"),
            (mesozoic.run.train_stage.StageLoop, "run"),
            (mesozoic.run.evaluation, "run_episodes"),
            (mesozoic.rendering.recording, "record"),
            (mesozoic.evaluation.robustness, "measure_robustness"),
            (mesozoic.bench.rates, "measure"),
        ):
            stack.enter_context(mock.patch.object(place, name, begin))
        yield


def fault_of_command(arguments: Sequence[str]) -> str | None:
    """Run `mesozoic ARGUMENTS`; what is wrong with how it ended, None if nothing is."""
    from mesozoic.cli.app import main

    errors = io.StringIO()
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # strict, like a terminal
    with (
        mock.patch.object(sys, "argv", ["mesozoic", *arguments]),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        code, fault = _ended(main)
        output.flush()
    return fault or fault_of_ending(code, errors.getvalue())


def fault_of_call(function: Callable[[], object]) -> str | None:
    """Call a function that may raise `UserError`; what is wrong with how it ended."""
    from mesozoic.errors import UserError, ending_of

    said = ""

    def call() -> None:
        nonlocal said
        try:
            function()
        except UserError as error:
            ending = ending_of(error)
            assert ending is not None
            said = f"{ending[0]}\n"

    _, fault = _ended(call)
    return fault or fault_of_ending(2 if said else 0, said)


def fault_of_ending(code: int | None, errors: str) -> str | None:
    """What is wrong with an exit code and what stands on standard error."""
    tally["refused" if code == 2 else "accepted"] += 1
    last.update(code=code, errors=errors)
    if code == 0 or code is None:
        return None if "Traceback" not in errors else f"a traceback after exit 0: {errors[-500:]}"
    if code != 2:
        return f"exit code {code}: {errors[-500:]}"
    lines = errors.splitlines()
    if lines and lines[0].startswith("Usage: "):  # the help, for who types nothing
        return None
    told = [line for line in lines if not line.startswith(ASIDE)]
    if len(told) != 1 or not told[0].startswith("error: "):
        return f"not one sentence: {errors[:2000]!r}"
    for line in lines:
        if len(line.removeprefix("error: ")) > LONGEST:
            return f"a sentence of {len(line)} characters: {line}"
        if not line.isprintable():
            return f"a sentence with signs for the terminal: {line!r}"
    return None


def _ended(function: Callable[[], object]) -> tuple[int | None, str | None]:
    """The exit code, None if it began to simulate, and a fault."""
    before = _most_memory()

    def hang(*_: object) -> None:
        raise Hangs

    signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        function()
        code: int | None = 0
    except Began:
        code = None
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except Hangs:
        return None, f"no end within {SECONDS} s: {_where(sys.exc_info()[2])}"
    except BaseException as error:
        return None, f"{type(error).__name__}: {str(error)[:300]} at {_where(error.__traceback__)}"
    finally:
        signal.alarm(0)
    more = _most_memory() - before
    return code, f"it took {more} MB" if more > MEMORY_MB else None


def _where(trace: Any) -> str:
    frames = [frame for frame in traceback.extract_tb(trace) if f"{os.sep}mesozoic{os.sep}" in frame.filename]
    return " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames[-4:]))


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
