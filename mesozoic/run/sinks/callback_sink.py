"""Hands metrics to a function of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mesozoic.run.sinks import OpenSink, Outcome, Place, Sink

OnMetrics = Callable[[int, dict[str, float]], object]
"""Takes a step and metrics by name. False as its answer stops the training, with a checkpoint; all else goes on."""


class CallbackSink(Sink):
    """Calls a function for each row of metrics, in a thread of its own; what it raises becomes one warning."""

    def __init__(self, place: Place, on_metrics: OnMetrics) -> None:
        self._place, self._on_metrics = place, on_metrics

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        if self._on_metrics(step, dict(metrics)) is False:
            self._place.stop("on_metrics returned False")

    def close(self, outcome: Outcome) -> None:
        """Nothing is held open."""


def calls(on_metrics: OnMetrics) -> OpenSink:
    """A sink for a function."""
    return lambda place: CallbackSink(place, on_metrics)
