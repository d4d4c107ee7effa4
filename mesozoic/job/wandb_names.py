"""Which W&B run a stage of a job logs to: one and the same, however often the job is run again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mesozoic.files import write_json
from mesozoic.job.environment import Job
from mesozoic.run.sinks import OpenSink, Place, Sink
from mesozoic.run.sinks.wandb_sink import RUN_FILE, WandbSink, without_empty


def wandb_environment(job: Job, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the training process: what W&B reads of it names this job's runs, or is not there."""
    kept = without_empty(environment)
    return {"WANDB_RUN_GROUP": job.run.name, **kept, "WANDB_RESUME": "allow"} if job.wandb else kept


def run_id(job_id: str, stage: int) -> str:
    """The W&B run of a stage: the same on every machine that the job is moved to."""
    return hashlib.sha256(f"{job_id}/{stage}".encode()).hexdigest()[:16]


def named_wandb(job: Job) -> dict[str, OpenSink]:
    """The sink for W&B, if metrics go there, with a run that a later try of the job finds again."""

    def open_sink(place: Place) -> Sink:
        file = place.folder / RUN_FILE
        if job.job_id and not file.exists():
            write_json(file, {"id": run_id(job.job_id, place.stage)})
        return WandbSink(place)

    return {"W&B": open_sink} if job.wandb else {}
