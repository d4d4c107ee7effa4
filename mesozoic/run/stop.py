"""Why a run stops before its end: a signal, a limit of time, or somebody who watches it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mesozoic.curricula.loop import Stop
from mesozoic.errors import Interrupted, Stopped, UserError
from mesozoic.evaluation.episodes import Summary
from mesozoic.run.interrupt import Interrupts

MAX_HOURS = 24.0 * 365
Watch = Callable[[int, Summary], str | None]
"""Is told the step and the figures of each evaluation, and waited for. A reason as its answer stops the training, with
a checkpoint, as not worth more."""


@dataclass(frozen=True)
class TimeLimit:
    """A limit of wall-clock time over all that is trained under it.

    Attributes:
        hours: from `began`, a time of `time.monotonic()`; default: from now.

    Raises:
        UserError: the hours are no sensible number.
    """

    hours: float
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if not 0 < self.hours <= MAX_HOURS:
            raise UserError(f"a limit of {self.hours:g} hours makes no sense; give a number above 0, for example 2.5")

    def over(self) -> bool:
        return time.monotonic() - self.began >= 3600.0 * self.hours


def nobody() -> None:
    """No other machine was told to stop, as there is none."""


class Stops:
    """Answers whether a run is to stop, and why: the first reason stays.

    Args:
        others: a machine that trains with this one and was told to stop, and the signal.
    """

    def __init__(
        self,
        interrupts: Interrupts,
        limit: TimeLimit | None = None,
        watch: Watch | None = None,
        others: Callable[[], tuple[str, int] | None] = nobody,
    ) -> None:
        self._interrupts, self._limit, self._watch, self._others = interrupts, limit, watch, others
        self._asked: Stop | None = None

    def ask(self, why: str) -> None:
        """Stop at the next safe point, because somebody who watches the run wants it."""
        self._asked = self._asked or Stop("pruned", why)

    def evaluated(self, step: int, summary: Summary) -> None:
        """Tell whoever watches, and heed the answer."""
        why = None if self._watch is None else self._watch(step, summary)
        if why is not None:
            self.ask(why)

    def now(self) -> Stop | None:
        """The reason to stop, if there is one."""
        if self._interrupts.received is not None:
            return Stop("signal", signal=self._interrupts.received)
        if (other := self._others()) is not None:
            return Stop("signal", f"{other[0]} of this training was told to by {signal.Signals(other[1]).name}")
        if self._asked is not None:
            return self._asked
        if self._limit is not None and self._limit.over():
            return Stop("time over", f"the limit of {self._limit.hours:g} hours is over")
        return None


def error_of(stop: Stop) -> Stopped:
    """What a stopped run raises."""
    return Stopped(f"stopped: {stop.why}") if stop.signal is None else Interrupted(stop.signal)
