"""`job.json` in the run folder: what the job there has used and how it ended, for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mesozoic.files import read_json, write_json
from mesozoic.job.exit_codes import HOPELESS

FILE = "job.json"
LARGEST = 2**20
"""Bytes; ours has a few hundred a stage."""


@dataclass
class Record:
    """What one job did in its run folder, on all its machines together.

    Attributes:
        job_id: of the service that runs the job again after its machine is gone; empty: each call is a job.
        seconds: used up to now; what MAX_HOURS counts.
        crashes: how earlier tries ended.
        state: "running", "finished", "stopped" (run it again to go on) or "failed".
        stages: what each stage that is over came to.
        warnings: what the training said that somebody should know, a GPU that cannot be used for example.
    """

    job_id: str = ""
    seconds: float = 0.0
    crashes: list[str] = field(default_factory=list)
    state: str = "running"
    exit_code: int | None = None
    why: str = ""
    run: str = ""
    stages: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def hopeless(self, moves: int | None) -> bool:
        """Whether an earlier try of this very job failed in a way that no other machine changes.

        Some services run a job again whatever it ended with, and each time is paid for.

        Args:
            moves: how many crashes may be answered with another machine; None where the service does not move jobs.
        """
        if self.state != "failed" or moves is None:
            return False
        return self.exit_code in HOPELESS or len(self.crashes) > moves


def read_record(run: Path, job_id: str) -> Record:
    """The record of this very job; an empty one if there is none, it cannot be read, or it is another job's."""
    try:
        found = read_json(run / FILE, LARGEST)
        if not job_id or found["job_id"] != job_id:
            return Record(job_id, run=str(run))
        earlier = Record(job_id, float(found["seconds"]), [str(one) for one in found["crashes"]], run=str(run))
        if found.get("state") == "failed" and isinstance(found.get("exit_code"), int):
            earlier.state, earlier.exit_code, earlier.why = "failed", found["exit_code"], str(found.get("why", ""))
        return earlier
    except (OSError, ValueError, KeyError, TypeError):
        return Record(job_id, run=str(run))


def write_record(run: Path, record: Record) -> None:
    """Write it, all of it or nothing.

    Raises:
        OSError: the folder cannot be made or written.
    """
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / FILE, asdict(record))


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The part of a stage's `metrics.json` that a job reports."""
    names = ("stage", "stage_name", "stage_passed", "timesteps", "score", "best_score", "final_policy", "best_policy")
    return {
        **{name: result.get(name) for name in names},
        "physics": result.get("identity", {}).get("physics"),
        **{name: result.get("evaluation", {}).get(name) for name in ("success", "success_low")},
    }
