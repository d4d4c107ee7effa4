"""Options of sweeps on Vertex AI, and what they come to: for `sweep launch` and `sweep launch-all` alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesozoic.cli.options import whole_option

if TYPE_CHECKING:
    from mesozoic.cloud.vertex.tuning import Tuning
    from mesozoic.sweep.plan import SweepPlan, SweepRequest

EngineOption = Annotated[
    str, typer.Option(help="local: here, without any account; wandb: on W&B; vertex: on Google's Vertex AI.")
]
MaxFailed = Annotated[int | None, whole_option("On Vertex AI: trials that may fail before a job ends as failed.")]
StuckAfter = Annotated[
    float, typer.Option(help="On Vertex AI: minutes without a measurement until a trial is reported as stuck.")
]
VertexHourly = Annotated[
    float | None, typer.Option("--max-hourly-cost", help="On Vertex AI: dollars an hour, of all trials side by side.")
]
VertexCost = Annotated[
    float | None, typer.Option("--max-cost", help="On Vertex AI: dollars in all, of all trials; needs --timeout.")
]
VertexWandb = Annotated[bool, typer.Option("--wandb", help="On Vertex AI: trials log to W&B as well.")]
SweepBucket = Annotated[
    str | None,
    typer.Option(help="NAME, gs://NAME/FOLDER, s3://...: keeps how far this is, what won; on Vertex AI all files."),
]
LARGEST_MINUTES = 1e5


def refuse_limits(engine: str, *limits: float | None) -> None:
    """Limits of cost are for an engine that rents machines.

    Raises:
        UserError: there is one for another engine.
    """
    from mesozoic.errors import UserError

    if engine != "vertex" and any(limit is not None for limit in limits):
        raise UserError(
            f"--max-cost and --max-hourly-cost limit what Vertex AI costs, and --engine {engine} rents nothing; leave"
            " them out, or rent with 'mesozoic cloud sweep'"
        )


@dataclass(frozen=True)
class VertexOptions:
    """What was given, by option."""

    project: str | None = None
    region: str | None = None
    bucket: str | None = None
    image: str | None = None
    machine_type: str | None = None
    accelerator: str | None = None
    spot: bool = False
    service_account: str | None = None
    timeout: float | None = None
    label: Sequence[str] = ()
    wandb: bool = False
    wandb_secret: str | None = None
    max_failed: int | None = None
    stuck_after: float = 60.0
    retry_after: str = ""
    max_hourly_cost: float | None = None
    max_cost: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> VertexOptions:
        """Those among the parameters of a command, which has each of them by the same name."""
        return cls(**{one.name: given[one.name] for one in fields(cls) if given[one.name] is not None})

    def gpu(self) -> bool:
        """Whether a trial's machine has a GPU.

        Raises:
            UserError: there is no such machine.
        """
        from mesozoic.cloud.vertex.machines import read_machine

        return read_machine(self.machine_type, self.accelerator).accelerator is not None

    def tuning(self, species: str, seconds: float | None = None) -> Tuning:
        """How the sweeps of an animal are run there; nothing is asked yet.

        Args:
            seconds: between two looks at a job; default: as ever.

        Raises:
            UserError: something is missing, or cannot be.
        """
        from mesozoic.cloud.request import positive
        from mesozoic.cloud.vertex.bucket import read_bucket
        from mesozoic.cloud.vertex.endpoint import read_place
        from mesozoic.cloud.vertex.machines import read_machine
        from mesozoic.cloud.vertex.plans import wandb_of
        from mesozoic.cloud.vertex.request import JobPlace, read_account, read_image, read_labels, read_secret
        from mesozoic.cloud.vertex.submission import read_delays
        from mesozoic.cloud.vertex.tuning import Tuning
        from mesozoic.cloud.vertex.tuning_files import SweepFiles
        from mesozoic.cloud.vertex.tuning_watch import EVERY
        from mesozoic.errors import UserError

        if not 0 < self.stuck_after <= LARGEST_MINUTES:
            raise UserError(f"--stuck-after {self.stuck_after:g} is no number of minutes above 0; give for example 60")
        if self.max_failed is not None and self.max_failed < 1:
            raise UserError(f"--max-failed {self.max_failed} is out of range; give at least 1")
        place = read_place(self.project, self.region)
        bucket = read_bucket(self.bucket)
        secret = read_secret(self.wandb_secret, place)
        key, variables = wandb_of(self.wandb, secret)
        where = JobPlace(
            place=place,
            output=bucket,
            image=read_image(self.image),
            machine=read_machine(self.machine_type, self.accelerator),
            account=read_account(self.service_account),
            spot=self.spot,
            timeout_hours=positive(self.timeout, "--timeout"),
            labels=read_labels(self.label),
            secret=secret,
            key=key,
        )
        return Tuning(
            files=SweepFiles(bucket / f"sweeps/{species}"),
            where=where,
            environment=variables,
            max_failed=self.max_failed,
            stuck=60.0 * self.stuck_after,
            delays=read_delays(self.retry_after),
            every=EVERY if seconds is None else seconds,
        )


def state_file(folder: Path | None, species: str, algorithm: str | None) -> Path:
    """Where a sweep of all stages on Vertex AI keeps on this machine how far it is."""
    return (folder or Path()) / f"sweep_state_{species}_{algorithm or 'ppo'}.json"


def show(options: VertexOptions, tuning: Tuning, plans: Mapping[int, SweepPlan]) -> None:
    """Say what will be run, where, at which price; look whether it can be, without submitting anything.

    Raises:
        UserError: the service does not have what is asked for, or it may cost more than it is allowed to.
    """
    from mesozoic.cloud.vertex.machines import price_source
    from mesozoic.cloud.vertex.tuning import tuning_job
    from mesozoic.cloud.vertex.tuning_cost import TuningCost
    from mesozoic.sweep.engines.vertex import parallel_of

    where, price = tuning.where, tuning.price
    each = "price unknown" if price is None else f"${price:.2f}/h"
    most = ", at most: spot machines cost less" if where.spot and price is not None else ""
    for stage, plan in plans.items():
        tuning_job(plan, tuning, "x", {})
        side = parallel_of(plan)
        together = "" if price is None else f", ${price * side:.2f}/h together"
        typer.echo(
            f"{plan.spec.species} stage {stage}: {plan.trials} trials of {plan.budget:,} steps, {side} side by side"
            f" ({plan.method}, pruner {plan.pruner}){together}"
        )
    typer.echo(f"  {each} a trial  {where.placement}{most}")
    cost = TuningCost(where, list(plans.values()))
    typer.echo(f"  {cost.total()}")
    typer.echo(f"  {price_source(where.place.region)}")
    typer.echo(f"  image {where.image}\n  files in {tuning.files.place.url}")
    cost.limit(options.max_hourly_cost, options.max_cost)
    if where.key:
        typer.echo("  warning: the W&B key will stand in the job's specification; --wandb-secret NAME hides it")


def mounted(load: Path | None) -> Path | None:
    """A policy in a bucket, `gs://...` or `/gcs/...`, as a trial's machine has it.

    Raises:
        UserError: it lies on this machine.
    """
    from mesozoic.errors import UserError, shown

    text = "" if load is None else str(load)
    if text.startswith("gs:/"):
        return Path("/gcs") / text.removeprefix("gs:").lstrip("/")
    if text and not text.startswith("/gcs/"):
        raise UserError(
            f"--load {shown(text)} is on this machine, where trials on Vertex AI do not see it; type: gcloud storage cp"
            f" {shown(text)} gs://BUCKET/policy.zip, then give --load gs://BUCKET/policy.zip"
        )
    return load


def launch_on_vertex(options: VertexOptions, plan: SweepPlan, dry_run: bool, yes: bool) -> None:
    """Submit the tuning job of one stage, and return.

    Raises:
        UserError: it could not be submitted.
    """
    from mesozoic.cli.cloud_options import confirm
    from mesozoic.cloud.vertex.tuning import VertexStages

    tuning = options.tuning(plan.spec.species)
    for note in plan.notes:
        typer.echo(note)
    show(options, tuning, {plan.stage: plan})
    if dry_run:
        typer.echo("dry run: nothing was submitted")
        return
    look_first(tuning, plan)
    confirm("submit it?", yes)
    job = VertexStages(tuning, typer.echo).submit(plan, lambda note: None)
    typer.echo(f"watch it: mesozoic vertex status {job.name}")
    typer.echo(f"end it: mesozoic cloud down {job.name}")
    typer.echo(f"what it came to: mesozoic sweep collect-results {tuning.files.place.url} --stages {plan.stage}")


def launch_all_on_vertex(
    options: VertexOptions,
    requests: Mapping[int, SweepRequest],
    folder: Path | None,
    resume: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Run the tuning jobs of all stages, one after the other.

    Args:
        folder: of the local state file; None: the working one.

    Raises:
        UserError: a stage could not be swept; the same command goes on. Interrupted: likewise.
    """
    from mesozoic.cli.cloud_options import confirm
    from mesozoic.cloud.signals import end_by_interrupt
    from mesozoic.cloud.vertex.tuning import VertexStages
    from mesozoic.sweep.chain import final_command, plans_of, run_chain
    from mesozoic.sweep.chain_state import ChainState

    plans = plans_of(requests)
    first = plans[min(plans)]
    tuning = options.tuning(first.spec.species)
    show(options, tuning, plans)
    if dry_run:
        typer.echo("dry run: nothing was submitted")
        return

    def say(line: str) -> None:
        typer.echo(line, err=True)

    file = state_file(folder, first.spec.species, first.spec.algorithm)
    state = ChainState(file, tuning.files.remote, say, fresh=not resume)
    if not state.begun:
        look_first(tuning, first)
    confirm("go on?" if state.begun else f"submit these {len(plans)} jobs, one after the other?", yes)
    with end_by_interrupt():
        winners = run_chain(requests, VertexStages(tuning, say, resume), state, say)
    for winner in winners:
        typer.echo(f"stage {winner.stage}: trial {winner.trial} {winner.state}, {first.objective} {winner.value:.4f}")
        typer.echo(f"  policy {tuning.files.remote.at(winner.policy)}")
    typer.echo(f"\n{final_command(first.spec, winners)}")


def look_first(tuning: Tuning, plan: SweepPlan) -> None:
    """Look whether jobs can run, because the service says little of it, and late.

    Raises:
        UserError: they cannot; a sentence for each reason.
    """
    from mesozoic.cloud.vertex.bucket import read_bucket
    from mesozoic.cloud.vertex.preflight import look
    from mesozoic.sweep.engines.vertex import parallel_of

    where, load = tuning.where, plan.spec.load
    found = look(
        where.place,
        where.output,
        where.image,
        where.machine,
        spot=where.spot,
        machines=parallel_of(plan),
        load=None if load is None else read_bucket(str(load), "--load"),
        secret=where.secret,
    )
    found.refuse()
    for note in found.notes:
        typer.echo(f"  note: {note}")
