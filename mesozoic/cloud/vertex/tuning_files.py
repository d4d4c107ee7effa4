"""The files of a sweep in a bucket: records of its trials, their policies, and the tables of what they came to."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from mesozoic.cloud.vertex.bucket import BucketFolder
from mesozoic.cloud.vertex.jobs import Job, JobTrial
from mesozoic.cloud.vertex.tuning_watch import value_of
from mesozoic.errors import UserError, shown
from mesozoic.files import parse_json
from mesozoic.files.remote import Remote
from mesozoic.sweep.chain import Best
from mesozoic.sweep.handed_on import policy_name
from mesozoic.sweep.results import collect, write_table
from mesozoic.sweep.trial_record import FILE, LARGEST, TrialRecord, record_of

ENDED_WELL = ("passed", "budget")


class NoWinner(UserError):
    """No trial of a job can hand on a policy."""


@dataclass(frozen=True)
class SweepFiles:
    """Where the files of a sweep lie.

    Attributes:
        place: its folder in a bucket.
    """

    place: BucketFolder

    @cached_property
    def remote(self) -> Remote:
        """The same, to read and write there.

        Raises:
            UserError: what reaches buckets is not installed.
        """
        return Remote(self.place.url)

    @property
    def mount(self) -> PurePosixPath:
        """The folder as a trial's machine has it."""
        return PurePosixPath(self.place.mounted)

    def record(self, stage: int, trial: str) -> TrialRecord | None:
        """The record of a trial; None if there is none that can be read."""
        data = self.remote.read(f"stage{stage}/{trial}/{FILE}", LARGEST)
        try:
            return None if data is None else record_of(parse_json(data))
        except (ValueError, TypeError):
            return None

    def reports(self, stage: int, trial: str) -> int:
        """How often a trial has reported, as far as can be told."""
        try:
            record = self.record(stage, trial)
        except UserError:
            return 0
        return 0 if record is None else len(record.scores)

    def best(self, stage: int, job: Job, metric: str) -> Best:
        """The best trial of a job that ran to its end and left its policy.

        Raises:
            NoWinner: there is none; with the first reason.
        """
        reasons: list[str] = []
        for trial in sorted(job.trials, key=lambda one: -value_of(one, metric)):
            record = self.record(stage, trial.id)
            reason = self._unfit(stage, trial, record, metric)
            if record is not None and not reason:
                value = value_of(trial, metric)
                if record.value is not None and math.isfinite(record.value):
                    value = record.value
                return Best(trial.id, record.state, value, record.point)
            reasons.append(f"trial {trial.id}: {reason}")
        first = shown(reasons[0], 200) if reasons else "it has no trials"
        raise NoWinner(f"no trial of {job.name} ran to its end and left a policy ({first.rstrip('.')})")

    def write_table(self, stage: int, job: Job, metric: str) -> str:
        """Write `_stageN_results.csv`, one row for each trial that the service knows; its URL.

        Raises:
            UserError: it cannot be read or written. OSError: this machine's disk is full.
        """
        try:
            known_here = {one.id for one in job.trials}
            rows = {one: row for row in collect(self.remote.url, [stage]) if (one := str(row["trial"])) in known_here}
        except UserError:  # none of them left anything
            rows = {}
        for trial in job.trials:
            value = value_of(trial, metric)
            known: dict[str, Any] = {"stage": stage, "trial": trial.id, "state": "failed", "why": trial.reason}
            known |= {"value": value} if value > float("-inf") else {}
            row = rows.setdefault(trial.id, known)
            if row.get("state") == "running" or (row.get("state") == "pre-empted" and trial.state == "SUCCEEDED"):
                # It was ended from outside before it could write that down: early, because it was among the worst.
                row["state"] = "pruned" if trial.state == "SUCCEEDED" else "failed"
        name = f"_stage{stage}_results.csv"
        with tempfile.TemporaryDirectory() as folder:
            write_table([rows[one] for one in sorted(rows, key=lambda one: (len(one), one))], Path(folder) / name)
            self.remote.write(name, (Path(folder) / name).read_bytes())
        return self.remote.at(name)

    def _unfit(self, stage: int, trial: JobTrial, record: TrialRecord | None, metric: str) -> str:
        """Why a trial cannot win; empty if it can."""
        if record is not None and record.state == "failed":
            return record.why or "it failed"
        if value_of(trial, metric) == float("-inf"):
            return trial.reason or "it measured nothing"
        if record is None:
            return "it left no record"
        if record.state not in ENDED_WELL:
            return f"it was {record.state}"
        if not self.remote.exists(policy_name(stage, trial.id)):
            return f"its policy is gone from {self.remote.at(policy_name(stage, trial.id))}"
        return ""
