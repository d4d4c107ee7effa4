"""Metric sinks: each takes flat metrics with a step and puts them somewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Outcome = Literal["finished", "failed", "preempted"]
"""How a training ended: to its end, by an error, or stopped before its end and to be continued."""


class Sink(Protocol):
    """Takes metrics such as `{"stage1/reward/alive": 0.98}`. It may raise and hang: a `Guard` stands before it."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record `metrics` at environment step `step`."""

    def close(self, outcome: Outcome) -> None:
        """Flush and let go."""

    def abandon(self) -> None:
        """Let go at once; another thread calls this if the sink did not answer in time."""
        return


@dataclass(frozen=True)
class Place:
    """What a sink may know of the training that it is opened for.

    Attributes:
        stage: its number; folder: the stage's folder; title: what is trained, for people.
        config: what decides the result.
        step: where the training goes on, 0 at its begin.
        warn: takes one sentence for the user; stop: asks the training to stop, and says why.
    """

    stage: int
    folder: Path
    title: str
    config: dict[str, Any]
    step: int
    warn: Callable[[str], None]
    stop: Callable[[str], None]


OpenSink = Callable[[Place], Sink]
"""Opens a sink at the begin of a training; what it raises becomes a warning."""
