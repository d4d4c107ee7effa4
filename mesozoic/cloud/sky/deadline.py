"""A time limit for calls of SkyPilot's SDK, which wait for its server without one."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from mesozoic.cloud.sky.client import Unreachable

Answer = TypeVar("Answer")
LOOKING = 300.0
"""Seconds for a question, the start of SkyPilot's server included."""
CHANGING = 900.0
"""Seconds for what ends, stops or submits something."""


def within(seconds: float, what: str, call: Callable[[], Answer]) -> Answer:
    """What `call` returns or raises. It runs in a thread, which is left to itself when the time is over.

    Raises:
        Unreachable: it has not answered within `seconds`.
    """
    answers: queue.Queue[tuple[bool, object]] = queue.Queue()
    context = contextvars.copy_context()

    def ask() -> None:
        try:
            answers.put((True, context.run(call)))
        except BaseException as error:
            answers.put((False, error))

    threading.Thread(target=ask, name=what, daemon=True).start()
    try:
        fine, answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise Unreachable(
            f"SkyPilot has not answered for {seconds:.0f} s ({what}); look at 'sky api status' and try again"
        ) from None
    if not fine:
        assert isinstance(answer, BaseException)
        raise answer
    return answer  # type: ignore[return-value]
