"""The line from a trial to a tuning job of Vertex AI: measurements through hypertune, and restarts that come to an end.

The service starts a process that failed again, and bills for it. So a trial whose failure would come again ends well,
as far as the service is told, and its record says what was wrong; only what another start may mend fails there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, ending_of
from mesozoic.run.sinks import OpenSink
from mesozoic.sweep.line import NoLine
from mesozoic.sweep.run_trial import Trial, run_trial
from mesozoic.sweep.trial_record import TrialRecord, read_trial

TRIAL_ID = "CLOUD_ML_TRIAL_ID"
"""Environment variable by which Vertex AI says which trial this process is."""
KEPT = 100
"""Measurements that hypertune keeps in its file."""
MOST_STARTS = 4
"""Of a trial's process without a report between them; then it is not the machine that is broken."""


class VertexLine(NoLine):
    """To the service that runs this trial.

    Args:
        metric: what the tuning job calls the objective; the service does not see others.

    Raises:
        UserError: hypertune is not installed.
    """

    engine = "vertex"

    def __init__(self, trial_id: str, metric: str) -> None:
        self.id, self._metric = trial_id, metric
        try:
            import hypertune
        except ImportError:
            raise UserError(
                "a trial on Vertex AI reports through cloudml-hypertune, which is not installed here; type: pip install"
                " 'mesozoic[vertex]' in the image"
            ) from None
        self._tune: Any = hypertune.HyperTune()
        self._last = (-1, math.nan)

    def begun(self, record: TrialRecord) -> None:
        """Report again what earlier processes did: hypertune empties its file when a new one begins."""
        for step, value in record.reports[-KEPT:]:
            self.report(step, value)

    def report(self, step: int, value: float) -> str | None:
        """The service answers by ending the process, so this has no answer.

        What a training came to may differ from its last evaluation, at the same step: it counts as one step later.
        """
        if math.isfinite(value) and (step, value) != self._last:
            step = step if step != self._last[0] else step + 1
            self._tune.report_hyperparameter_tuning_metric(self._metric, value, step)
            self._last = (step, value)
        return None


def vertex_line_of(environment: Mapping[str, str], metric: str) -> VertexLine | None:
    """The line to the tuning job that this process is a trial of; None if it is of none.

    Raises:
        UserError: hypertune is not installed.
    """
    return VertexLine(environment[TRIAL_ID], metric) if environment.get(TRIAL_ID) else None


def run_vertex_trial(
    trial: Trial, folder: Path, line: VertexLine, sinks: Mapping[str, OpenSink], say: Callable[[str], object]
) -> TrialRecord | None:
    """Run a trial, or go on with it; None, once it is said and written down why, if no further start would help.

    Raises:
        Interrupted: the machine is taken away; the service starts the trial again, and it goes on.
        Exception: it may have been the machine.
    """
    try:
        found = read_trial(folder)
        if found is not None and found.starts >= MOST_STARTS:
            raise UserError(f"it was started {found.starts} times without getting further, the last: {_why(found)}")
        return run_trial(trial, folder, line, sinks)
    except UserError as error:
        message = (ending_of(error) or (f"error: {error}", 2))[0]
        say(f"{message}\nthis trial has failed, and starting it again would not help")
        _note(trial, folder, line, str(error))
        return None


def _why(record: TrialRecord) -> str:
    return record.why or "it was killed, as for lack of memory"


def _note(trial: Trial, folder: Path, line: VertexLine, why: str) -> None:
    """Have the record say it, also of a trial that was refused before it had one; not in that of another trial."""
    try:
        record = read_trial(folder) or trial.record(line)
        if record.state in ("running", "pre-empted") and dict(record.point) == dict(trial.point):
            record.state, record.why = "failed", " ".join(why.split())[:500]
            folder.mkdir(parents=True, exist_ok=True)
            record.save(folder)
    except (UserError, OSError):
        return
