"""The line from a trial to W&B: what it is worth goes into its run at every evaluation, as `sweep/value`.

W&B's early termination stops the run through its sink (see `wandb_sink`), so a report is never answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mesozoic.run.sinks import OpenSink, Outcome, Place, Sink
from mesozoic.run.stage_spec import BUDGET
from mesozoic.sweep.line import NoLine
from mesozoic.sweep.objective import Objective, solved_value
from mesozoic.sweep.trial_record import TrialRecord

VALUE = "sweep/value"
"""The metric of a sweep whose trials are `mesozoic sweep trial`."""
RUN_ID, SWEEP_ID = "WANDB_RUN_ID", "WANDB_SWEEP_ID"
"""Environment variables by which W&B's agent says which run of which sweep this process is."""


class WandbLine(NoLine):
    """To a run of a W&B sweep."""

    engine = "wandb"

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self._values: dict[int, float] = {}

    def report(self, step: int, value: float) -> str | None:
        self._values[step] = value
        return None

    def ended(self, record: TrialRecord) -> None:
        """Its sink has said it."""

    def sink(self, opens: Callable[[Place], Sink], objective: Objective) -> OpenSink:
        """A sink that adds the value to what an evaluation logs, and to the certification of a policy that passed."""
        return lambda place: _WithValue(opens(place), place, self._values, objective)


class _WithValue(Sink):
    """Counts steps over all seeds of a trial, so that the rows of one are not before those of another."""

    def __init__(self, sink: Sink, place: Place, values: Mapping[int, float], objective: Objective) -> None:
        self._sink, self._values, self._objective = sink, values, objective
        seed = place.folder.parent.name.removeprefix("seed")
        self._budget, self._passed = int(place.config[BUDGET]), f"stage{place.stage}/certification/passed"
        self._offset = int(seed) * self._budget if seed.isdecimal() else 0

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        value = self._values.get(self._offset + step)
        more = {} if value is None or "eval/score" not in metrics else {VALUE: value}
        if value is not None and metrics.get(self._passed) == 1.0:
            more = {VALUE: solved_value(self._objective, value, step, self._budget)}
        self._sink.write(self._offset + step, {**metrics, **more})

    def close(self, outcome: Outcome) -> None:
        self._sink.close(outcome)

    def abandon(self) -> None:
        self._sink.abandon()


def wandb_line_of(environment: Mapping[str, str]) -> WandbLine | None:
    """The line to the W&B sweep that this process is a run of; None if it is of none."""
    if environment.get(SWEEP_ID) and environment.get(RUN_ID):
        return WandbLine(environment[RUN_ID])
    return None
