"""The line from a trial to W&B: what it is worth goes into its run at every evaluation, as `sweep/value`.

A trial is one run of W&B, however many seeds judge it: its sink stays open from the first training to the end of the
trial, which says mean and lower bound over the seeds. W&B's early termination stops the training that runs through
that sink (see `wandb_sink`), so a report is never answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mesozoic.run.sinks import OpenSink, Outcome, Place, Sink
from mesozoic.run.sinks.guard import Guard, close_all
from mesozoic.run.stage_spec import BUDGET
from mesozoic.sweep.line import NoLine
from mesozoic.sweep.trial_record import State, TrialRecord

VALUE, LOWER = "sweep/value", "sweep/lower"
"""The metric of a sweep whose trials are `mesozoic sweep trial`; and the bound of it that several seeds give."""
RUN_ID, SWEEP_ID = "WANDB_RUN_ID", "WANDB_SWEEP_ID"
"""Environment variables by which W&B's agent says which run of which sweep this process is."""
OUTCOMES: Mapping[State, Outcome] = {
    "passed": "finished",
    "budget": "finished",
    "pruned": "preempted",
    "pre-empted": "preempted",
}
"""How a run ends; one that early termination stopped is told from a pre-empted one by the server."""


class WandbLine(NoLine):
    """To a run of a W&B sweep."""

    engine = "wandb"

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self._values: dict[int, float] = {}
        self._sink: Sink | None = None
        self._place: Place | None = None
        self._stopped = ""

    def report(self, step: int, value: float) -> str | None:
        self._values[step] = value
        return None

    def ended(self, record: TrialRecord) -> None:
        """Say what the trial came to, and end the run, in bounded time."""
        sink, place = self._sink, self._place
        if sink is None or place is None:
            return
        self._sink = None
        guard = Guard("W&B", lambda _: sink, place)
        found = {VALUE: record.value, LOWER: record.lower}
        if record.last is not None and record.state in ("passed", "budget", "pruned"):
            guard.write(record.last[0], {name: value for name, value in found.items() if value is not None})
        close_all([guard], OUTCOMES.get(record.state, "failed"), lambda: record.state == "pre-empted")

    def sink(self, opens: Callable[[Place], Sink]) -> OpenSink:
        """A sink for each training of the trial, all of them into the same run."""

        def opened(place: Place) -> Sink:
            self._place = place
            if self._sink is None:
                self._sink = opens(replace(place, stop=self._stop, warn=lambda line: self._now(place).warn(line)))
            if self._stopped:  # between two trainings
                place.stop(self._stopped)
            return _OfSeed(self._sink, place, self._values, self._gone)

        return opened

    def _stop(self, why: str) -> None:
        """Stop the training that runs, or the next one."""
        self._stopped = why
        if self._place is not None:
            self._place.stop(why)

    def _now(self, first: Place) -> Place:
        return self._place or first

    def _gone(self) -> None:
        """The sink takes nothing any more; the next training begins with a new one."""
        self._sink = None


class _OfSeed(Sink):
    """Counts steps over all seeds of a trial, so that the rows of one are not before those of another."""

    def __init__(self, sink: Sink, place: Place, values: Mapping[int, float], gone: Callable[[], None]) -> None:
        self._sink, self._values, self._gone = sink, values, gone
        seed = place.folder.parent.name.removeprefix("seed")
        self._offset = int(seed) * int(place.config[BUDGET]) if seed.isdecimal() else 0

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        value = self._values.get(self._offset + step)
        more = {} if value is None or "eval/score" not in metrics else {VALUE: value}
        self._sink.write(self._offset + step, {**metrics, **more})

    def close(self, outcome: Outcome) -> None:
        """The trial ends it, which may have more seeds."""

    def abandon(self) -> None:
        self._gone()
        self._sink.abandon()


def wandb_line_of(environment: Mapping[str, str]) -> WandbLine | None:
    """The line to the W&B sweep that this process is a run of; None if it is of none."""
    if environment.get(SWEEP_ID) and environment.get(RUN_ID):
        return WandbLine(environment[RUN_ID])
    return None
