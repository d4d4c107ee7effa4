"""Tells how a job's training goes: lines for people on standard output, events for the process that watches."""

from __future__ import annotations

from collections.abc import Mapping

from mesozoic.job.events import Events
from mesozoic.run.display import Reporter
from mesozoic.run.unheard import quietly

SAY = quietly(lambda line: print(line, flush=True))
"""The log of a job lies on the disk that its training fills."""


class JobReporter(Reporter):
    """The `Reporter` of a job."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def begin(self, title: str, total: int, done: int) -> None:
        self._events.send(title=title, budget=total, step=done, speed=0, phase="starting")

    def end(self) -> None:
        """Nothing is left open."""

    def say(self, line: str) -> None:
        SAY(line)
        if line.startswith("warning: "):
            self._events.send(warning=line.removeprefix("warning: "))

    def phase(self, name: str) -> None:
        self._events.send(phase=name)

    def trained(self, step: int, metrics: Mapping[str, float], steps_per_second: float) -> None:
        self._events.step(step, round(steps_per_second))
