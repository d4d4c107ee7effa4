"""Waits for a tuning job: a line whenever something has changed, and a word about trials that have fallen silent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mesozoic.cloud.spans import span
from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.jobs import Job, JobTrial
from mesozoic.cloud.vertex.provider import paid_seconds
from mesozoic.cloud.vertex.submission import DELAYS
from mesozoic.cloud.vertex.vertex_errors import Transient
from mesozoic.errors import UserError

EVERY = 30.0
"""Seconds between two looks at a job."""
SIGN = 600.0
"""Seconds after which the line is said again though nothing has changed."""
STUCK = 3600.0
"""Seconds without a measurement after which a trial counts as stuck, where nobody says it."""


@dataclass
class _Heard:
    """When a trial was heard last, and what of it: measurements that the service shows, reports in its record."""

    shown: int
    recorded: int
    at: float
    said: bool = False


@dataclass
class Watch:
    """How a job is watched.

    Args:
        metric: its objective; price: dollars an hour of one trial, None: not known.
        reports: how often a trial has reported, as its own record says; asked before it counts as stuck, because the
            service may not show what a trial that goes on has measured.
        stuck: seconds of silence after which a trial is reported; delays: before further tries of a look that failed.
    """

    client: VertexClient
    title: str
    metric: str
    say: Callable[[str], object]
    price: float | None = None
    reports: Callable[[str], int] = lambda trial: 0
    stuck: float = STUCK
    delays: Sequence[float] = DELAYS
    every: float = EVERY
    _heard: dict[str, _Heard] = field(default_factory=dict)

    def wait(self, resource: str) -> Job:
        """Wait for the end of a job.

        Raises:
            UserError: the service did not answer any more; the job goes on.
        """
        said, said_at = "", -math.inf
        while True:
            job = self._look(resource)
            line, now = self._line(job), time.monotonic()
            if line != said or now - said_at > SIGN:
                self.say(f"{self.title}: {line}{self._spent(job)}")
                said, said_at = line, now
            if job.ended:
                return job
            for trial in job.trials:
                if trial.state == "ACTIVE":
                    self._listen(job, trial, now)
            time.sleep(self.every)

    def _look(self, resource: str) -> Job:
        left = list(self.delays)
        while True:
            try:
                return self.client.get(resource)
            except Transient as error:
                if not left:
                    raise UserError(f"{error}; the job goes on at Vertex AI: run the same command to go on") from None
                delay = left.pop(0)
                self.say(f"{error}; looking again in {delay:g} s")
                time.sleep(delay)

    def _line(self, job: Job) -> str:
        over = sum(one.over for one in job.trials)
        failed = sum(one.failed for one in job.trials)
        values = {one.id: value_of(one, self.metric, running=True) for one in job.trials}
        best = max(values, key=lambda one: values[one], default="")
        found = f", best {values[best]:.4f} (trial {best})" if best and values[best] > -math.inf else ""
        bad = f" ({failed} failed)" if failed else ""
        most = job.spec.get("maxTrialCount", "?")
        return f"{job.state.lower()}, {over} of {most} trials over{bad}, {len(job.trials) - over} running{found}"

    def _spent(self, job: Job) -> str:
        seconds = paid_seconds(job)
        cost = "" if self.price is None else f", about ${self.price * seconds / 3600:.2f}"
        return f"; {span(seconds)} of machines{cost} so far" if seconds else ""

    def _listen(self, job: Job, trial: JobTrial, now: float) -> None:
        """Say it, once, of a trial that has reported nothing for long, by this machine's clock alone."""
        shown = len(trial.measurements)
        heard = self._heard.setdefault(trial.id, _Heard(shown, 0, now))
        if shown != heard.shown:
            heard.shown, heard.at = shown, now
        if heard.said or now - heard.at < self.stuck:
            return
        recorded = self.reports(trial.id)
        if recorded != heard.recorded:
            heard.recorded, heard.at = recorded, now
            return
        heard.said = True
        self.say(
            f"warning: trial {trial.id} is stuck: no measurement for {span(now - heard.at)}; see 'mesozoic vertex logs"
            f" {job.name}', and end the job with 'mesozoic cloud down {job.name}' if it does not go on"
        )


def value_of(trial: JobTrial, metric: str, running: bool = False) -> float:
    """What a trial is worth; minus infinity where it has said nothing that is a number.

    Args:
        running: count what a trial that goes on has reported last as well.
    """
    measured = trial.final or (trial.measurements[-1] if running and trial.measurements else None)
    value = math.nan if measured is None else measured.metrics.get(metric, math.nan)
    return value if math.isfinite(value) and trial.state != "INFEASIBLE" else -math.inf
