"""Vertex AI as an engine of sweeps: a tuning job for each stage, submitted once, found again, and waited for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mesozoic.cloud.ledger import VERTEX, begin, every_launch, write_ledger
from mesozoic.cloud.names import unique_name
from mesozoic.cloud.undo import hand_back
from mesozoic.cloud.vertex.client import LAUNCH, VertexClient
from mesozoic.cloud.vertex.jobs import WELL, Job, Kind
from mesozoic.cloud.vertex.provider import VertexProvider
from mesozoic.cloud.vertex.request import JobPlace
from mesozoic.cloud.vertex.submission import DELAYS, look_for, our_labels, submit
from mesozoic.cloud.vertex.tuning_files import NoWinner, SweepFiles
from mesozoic.cloud.vertex.tuning_watch import EVERY, STUCK, Watch
from mesozoic.cloud.vertex.vertex_errors import Missing, VertexError
from mesozoic.errors import Interrupted, UserError, shown
from mesozoic.sweep.chain import Best
from mesozoic.sweep.chain_state import Job as Note
from mesozoic.sweep.engines.vertex import parallel_of, study_of, trial_arguments
from mesozoic.sweep.plan import SweepPlan

SWEEP, FOLDER = "sweep", "folder"
"""Labels of our tuning jobs: what is searched, and which folder of which bucket the trials write into."""
KIND: Kind = "tuning job"


@dataclass(frozen=True)
class Tuning:
    """How sweeps are run.

    Args:
        where: project, machine, image and the rest of a trial's job; environment: further variables of its own.
        max_failed: trials after which the job ends as failed; None: as the service thinks.
        stuck: seconds without a measurement after which a trial is reported.
        delays: seconds before each further try after an error that may pass.
    """

    files: SweepFiles
    where: JobPlace
    environment: Mapping[str, str] = field(default_factory=dict)
    max_failed: int | None = None
    stuck: float = STUCK
    delays: Sequence[float] = DELAYS
    every: float = EVERY

    @cached_property
    def client(self) -> VertexClient:
        """Who is asked; a dry run asks nobody, and needs no account.

        Raises:
            UserError: Google's package is not installed, or Google knows nobody here.
        """
        return VertexClient(self.where.place)

    @property
    def price(self) -> float | None:
        """Dollars an hour of one trial; None: not known."""
        return self.where.placement.price

    @property
    def details(self) -> dict[str, Any]:
        """For the ledger."""
        return {"offer": str(self.where.placement), "price": self.price, "folder": self.files.place.url}


def tuning_job(plan: SweepPlan, tuning: Tuning, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The job, as JSON of a `HyperparameterTuningJob`.

    Raises:
        UserError: the service does not have what is asked for.
    """
    where = tuning.where
    arguments = trial_arguments(plan, tuning.files.mount, wandb=bool(where.key or where.secret))
    spec: dict[str, Any] = {
        "displayName": name,
        "labels": dict(labels),
        "studySpec": study_of(plan),
        "maxTrialCount": plan.trials,
        "parallelTrialCount": parallel_of(plan),
        "trialJobSpec": where.job_spec(arguments, tuning.environment, tuning.files.place / f"stage{plan.stage}"),
    }
    if tuning.max_failed is not None:
        spec["maxFailedTrialCount"] = tuning.max_failed
    return spec


class VertexStages:
    """Sweeps the stages of one animal; see `StageEngine`.

    Args:
        resume: take up a job that did the same before; else one that still runs is refused.
    """

    def __init__(self, tuning: Tuning, say: Callable[[str], None], resume: bool = True) -> None:
        self._tuning, self._say, self._resume = tuning, say, resume
        self._client, self._files = tuning.client, tuning.files

    def has(self, policy: str) -> bool:
        """Whether a policy is in the bucket."""
        return self._files.remote.exists(policy)

    def place(self, policy: str) -> Path:
        """Where a trial finds it."""
        return Path(self._files.mount / policy)

    def sweep(self, plan: SweepPlan, job: Note, note: Callable[[Note], None]) -> Best:
        """Run the tuning job of a stage to its end; the same command takes a job up that runs or has ended well."""
        for line in plan.notes:
            self._say(line)
        found = self._earlier(plan, job)
        if found is not None:
            self._say(f"going on with {found.kind} {found.name} ({found.resource})")
            self._adopt(found)
            if found.ended:
                try:
                    return self._finish(plan, found)
                except NoWinner as error:
                    self._say(f"{error}; submitting stage {plan.stage} anew")
                    found = None
        try:
            return self._finish(plan, self._wait(plan, found or self.submit(plan, note)))
        except NoWinner as error:
            raise UserError(
                f"{error}; see 'mesozoic vertex logs', mend what is wrong, and run the same command: it submits"
                " this stage anew"
            ) from None

    def _wait(self, plan: SweepPlan, found: Job) -> Job:
        """Wait for the end of a job."""
        watch = Watch(
            self._client,
            f"stage {plan.stage}",
            plan.objective,
            self._say,
            self._tuning.price,
            lambda trial: self._files.reports(plan.stage, trial),
            self._tuning.stuck,
            self._tuning.delays,
            self._tuning.every,
        )
        try:
            return watch.wait(found.resource)
        except (KeyboardInterrupt, Interrupted):
            self._say(
                f"{found.name} goes on at Vertex AI; run the same command to go on with it, or end it with: mesozoic"
                f" cloud down {found.name}"
            )
            raise

    def _finish(self, plan: SweepPlan, done: Job) -> Best:
        """What a job that has ended came to."""
        write_ledger("gone", done.name)
        self._write_table(plan, done)
        if done.state not in WELL:
            raise UserError(_bad_end(done))
        return self._files.best(plan.stage, done, plan.objective)

    def submit(self, plan: SweepPlan, note: Callable[[Note], None]) -> Job:
        """Submit the job of a stage.

        Args:
            note: hears which one it will be before it is asked for, and what the service calls it afterwards.

        Raises:
            UserError: it could not be submitted, or another job writes into the same folder.
        """
        self._make_room(plan)
        name = unique_name(f"{plan.spec.species}-stage{plan.stage}")
        own = {"species": plan.spec.species, "stage": str(plan.stage)}
        own |= {SWEEP: self._mark(plan), FOLDER: self._folder(plan.stage)}
        labels = our_labels({**self._tuning.where.labels, **own})
        spec = tuning_job(plan, self._tuning, name, labels)
        note({"name": name, "launch": labels[LAUNCH]})
        job = submit(self._client, KIND, spec, self._say, delays=self._tuning.delays, **self._tuning.details)
        note({"name": name, "launch": labels[LAUNCH], "resource": job.resource})
        self._say(f"submitted {job.kind} {job.name} ({job.resource})")
        self._give_way(plan, job)
        return job

    def _give_way(self, plan: SweepPlan, job: Job) -> None:
        """Of two jobs that were submitted at one moment into one folder, the later one ends.

        Raises:
            UserError: it was this one.
        """
        try:
            there = self._client.jobs(kinds=[KIND])
        except VertexError:
            return
        mine = (job.created or 0.0, job.resource)
        live = [one for one in there if one.labels.get(FOLDER) == self._folder(plan.stage) and not one.ended]
        for one in live:
            if (one.created or 0.0, one.resource) < mine:
                hand_back(VertexProvider(), job.name, self._say)
                raise UserError(
                    f"{one.name} was submitted into {self._files.remote.url} at the same moment, so {job.name} was"
                    f" ended again; run the same command, or end the other one with: mesozoic cloud down {one.name}"
                )

    def _earlier(self, plan: SweepPlan, job: Note) -> Job | None:
        """The job that an earlier call submitted for the same, if it goes on or ended well.

        By what the call noted, which may be before the service answered; else by its labels.
        """
        found: list[Job] = []
        if job.get("resource"):
            try:
                found = [self._client.get(str(job["resource"]))]
            except Missing:
                found = []
        elif job.get("launch"):
            found = look_for(self._client, KIND, str(job["launch"]))
        usable = [one for one in found if not one.ended or self._is_whole(plan, one)]
        if not usable:  # another machine may have begun it again
            found = [one for one in self._client.jobs(kinds=[KIND]) if one.labels.get(SWEEP) == self._mark(plan)]
            usable = [one for one in found if not one.ended or self._is_whole(plan, one)]
        live = [one for one in usable if not one.ended]
        if live and not self._resume:
            raise UserError(
                f"{live[0].name} searches this already; leave --no-resume out to go on with it, or end it with:"
                f" mesozoic cloud down {live[0].name}"
            )
        return next(iter(live or usable), None)

    def _is_whole(self, plan: SweepPlan, job: Job) -> bool:
        """Whether a job ended well, and its trials are still those in the folder: no later job has set them aside."""
        if job.state not in WELL or not self._resume:
            return False
        folder, began = self._folder(plan.stage), job.created or 0.0
        others = [one for one in self._client.jobs(kinds=[KIND]) if one.labels.get(FOLDER) == folder]
        return all(one.resource == job.resource or (one.created or 0.0) <= began for one in others)

    def _make_room(self, plan: SweepPlan) -> None:
        """Trials are numbered from 1 in every job, so an earlier job's trials are set aside."""
        folder = self._folder(plan.stage)
        for job in self._client.jobs(kinds=[KIND]):
            if job.labels.get(FOLDER) == folder and not job.ended:
                raise UserError(
                    f"{job.name} sweeps stage {plan.stage} into {self._files.remote.url} already; wait for it, give"
                    f" another --bucket gs://NAME/FOLDER, or end it with: mesozoic cloud down {job.name}"
                )
        aside = self._files.remote.set_aside(f"stage{plan.stage}")
        if aside:
            self._say(f"earlier trials of stage {plan.stage} are kept in {aside}")

    def _adopt(self, job: Job) -> None:
        """Have the ledger of this machine know a job that another call, or another machine, submitted."""
        known = next((one for one in reversed(every_launch(VERTEX)) if one.name == job.name), None)
        if known is None or (known.down and not job.ended):
            place = self._client.place
            where = {"project": place.project, "region": place.region, "launch": job.labels.get(LAUNCH, "")}
            begin(KIND, job.name, **where, **self._tuning.details)
        if known is None or not known.identity or (known.gone and not job.ended):
            write_ledger("up", job.name, identity=job.resource)

    def _write_table(self, plan: SweepPlan, job: Job) -> None:
        try:
            url = self._files.write_table(plan.stage, job, plan.objective)
        except (UserError, OSError) as error:
            self._say(f"warning: the table of stage {plan.stage} could not be written: {error}")
        else:
            self._say(f"results of stage {plan.stage}: {url}")

    def _mark(self, plan: SweepPlan) -> str:
        return _digest(f"{plan.digest()} {self._files.remote.url}")

    def _folder(self, stage: int) -> str:
        return _digest(f"{self._files.remote.url}/stage{stage}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _bad_end(job: Job) -> str:
    reason = next((one.reason for one in job.trials if one.reason), "")
    why = "; ".join(shown(text.rstrip("."), 160) for text in (job.error, reason) if text)
    return (
        f"{job.name} has ended: {job.state}{f' ({why})' if why else ''}; see 'mesozoic vertex logs {job.name}', mend"
        " what is wrong, and run the same command: it submits this stage anew"
    )
