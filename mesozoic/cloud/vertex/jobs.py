"""Jobs of Vertex AI as records: what is known of one, its trials and their measurements, whichever kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["custom job", "tuning job"]
COLLECTIONS: dict[Kind, str] = {"custom job": "customJobs", "tuning job": "hyperparameterTuningJobs"}
"""What the service calls them in addresses."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
"""States in which a job stays; the others are QUEUED, PENDING, RUNNING, CANCELLING, PAUSED, UPDATING."""
WELL = ("SUCCEEDED", "PARTIALLY_SUCCEEDED")


@dataclass(frozen=True)
class Measurement:
    """What a trial reported at one step: metric -> value."""

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class JobTrial:
    """One trial of a tuning job. Times are seconds since 1970.

    Attributes:
        state: REQUESTED, ACTIVE, STOPPING, SUCCEEDED or INFEASIBLE (it failed; `reason`).
        parameters: by name; numbers come as floats, also those of discrete parameters.
        final: the measurement that counts; None before its end, and of one that failed.
        measurements: all that is known so far, oldest first; of a trial that goes on the service may show none.
    """

    id: str
    state: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    final: Measurement | None = None
    measurements: tuple[Measurement, ...] = ()
    started: float | None = None
    ended: float | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        return self.ended is not None or self.state in ("SUCCEEDED", "INFEASIBLE")

    @property
    def failed(self) -> bool:
        """Whether it came to nothing; one whose failure would come again ends well, as far as the service knows."""
        return self.state == "INFEASIBLE" or (self.over and self.final is None)


@dataclass(frozen=True)
class Job:
    """A job as the service knows it. Times are seconds since 1970.

    Attributes:
        name: its display name; several may have the same.
        resource: the service's name of this very one, `projects/P/locations/R/customJobs/N`.
        state: without its prefix, `RUNNING` for example; see `ENDED`.
        error: why it failed, as the service says it.
        spec: the whole of it, as JSON.
    """

    name: str
    resource: str
    kind: Kind
    state: str
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[JobTrial, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def number(self) -> str:
        """The end of its resource name, which commands and the console take."""
        return self.resource.rpartition("/")[2]


def kind_of(resource: str) -> Kind:
    """Which kind of job a resource name is of."""
    return "tuning job" if f"/{COLLECTIONS['tuning job']}/" in resource else "custom job"


def job_of(found: Mapping[str, Any]) -> Job:
    """The record of a job that the service describes in JSON."""
    resource = str(found.get("name", ""))
    return Job(
        name=str(found.get("displayName", "")),
        resource=resource,
        kind=kind_of(resource),
        state=str(found.get("state", "")).removeprefix("JOB_STATE_"),
        created=seconds(found.get("createTime")),
        started=seconds(found.get("startTime")),
        finished=seconds(found.get("endTime")),
        error=str((found.get("error") or {}).get("message", "")),
        labels=dict(found.get("labels") or {}),
        trials=tuple(_trial(one) for one in found.get("trials") or ()),
        spec=found,
    )


def seconds(text: str | None) -> float | None:
    """A time as the service writes it, in seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def _trial(found: Mapping[str, Any]) -> JobTrial:
    final = found.get("finalMeasurement")
    return JobTrial(
        id=str(found.get("id", "")),
        state=str(found.get("state", "")),
        parameters={one["parameterId"]: one.get("value") for one in found.get("parameters") or ()},
        final=_measurement(final) if final else None,
        measurements=tuple(_measurement(one) for one in found.get("measurements") or ()),
        started=seconds(found.get("startTime")),
        ended=seconds(found.get("endTime")),
        reason=str(found.get("infeasibleReason", "")),
    )


def _measurement(found: Mapping[str, Any]) -> Measurement:
    metrics = {one["metricId"]: float(one.get("value", 0.0)) for one in found.get("metrics") or ()}
    return Measurement(int(found.get("stepCount", 0)), metrics)
