"""`mesozoic vertex submit`: a training as a custom job of Vertex AI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesozoic.cli.cloud_options import DryRun, Spot, Yes, confirm
from mesozoic.cli.options import Algorithm, Backend, GpuIds, TrainArguments, TrainSeed, Worlds, whole_option
from mesozoic.cli.vertex_options import (
    DELAYS,
    AcceleratorOption,
    Bucket,
    Image,
    Label,
    MachineType,
    Project,
    Region,
    Restart,
    RetryAfter,
    ServiceAccount,
    Timeout,
    WandbSecret,
)

if TYPE_CHECKING:
    from mesozoic.cloud.vertex.jobs import Job
    from mesozoic.cloud.vertex.request import JobPlan


def submit(
    context: typer.Context,
    arguments: TrainArguments = None,
    species: Annotated[str | None, typer.Option(help="velociraptor, trex, brachiosaurus; all: a job each.")] = None,
    stage: Annotated[str, typer.Option(help="The number of a stage; all: one after the other, in one job.")] = "all",
    project: Project = None,
    region: Region = None,
    bucket: Bucket = None,
    image: Image = None,
    machine_type: MachineType = None,
    accelerator: AcceleratorOption = None,
    spot: Spot = False,
    restart: Restart = True,
    timesteps: Annotated[int | None, whole_option("Budget of each stage in environment steps.")] = None,
    n_envs: Worlds = None,
    seed: TrainSeed = 0,
    backend: Backend = "auto",
    algorithm: Algorithm = "ppo",
    physics: Annotated[str, typer.Option(help="auto (mjx-warp on a GPU), native, mjx-warp or mjx-jax.")] = "auto",
    gpu_ids: GpuIds = "",
    override: Annotated[list[str] | None, typer.Option(help="section.key=value; several may follow.")] = None,
    load: Annotated[str | None, typer.Option(help="Policy or run folder in a bucket, gs://..., to start from.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the job and of its run folder; default: a new one.")] = None,
    max_hours: Annotated[
        float | None, typer.Option(help="The job saves a checkpoint and ends itself after that.")
    ] = None,
    max_hourly_cost: Annotated[float | None, typer.Option(help="Dollars per hour of one job.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Dollars in all, of one job, set-up included.")] = None,
    timeout: Timeout = None,
    service_account: ServiceAccount = None,
    label: Label = None,
    wandb: Annotated[bool, typer.Option("--wandb", help="Log to W&B with the key that this machine has.")] = False,
    wandb_secret: WandbSecret = None,
    retry_after: RetryAfter = DELAYS,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Train in a container on Vertex AI: a curriculum, or one stage; one species, or all side by side.

    Shows the price and looks whether the job can run, and asks first. --dry-run prints the exact job and needs no
    account. The same --name goes on where the last job of that name stopped.
    """
    from mesozoic.cloud.request import positive
    from mesozoic.cloud.vertex.bucket import read_bucket
    from mesozoic.cloud.vertex.endpoint import read_place
    from mesozoic.cloud.vertex.machines import read_machine
    from mesozoic.cloud.vertex.plans import job_plans, wandb_of
    from mesozoic.cloud.vertex.request import JobPlace, read_account, read_image, read_labels, read_load, read_secret
    from mesozoic.cloud.vertex.submission import read_delays
    from mesozoic.errors import UserError
    from mesozoic.redact import redact
    from mesozoic.run.words import sort_arguments

    options = [one for parameter in context.command.params for one in parameter.opts if one.startswith("--")]
    words = [*(arguments or []), *context.args]
    typed, overrides = sort_arguments(words, override or [], options, "vertex submit")
    if typed and species:
        raise UserError(f"two species, '{typed}' and '{species}'; give one, or --species all")
    place = read_place(project, region)
    secret = read_secret(wandb_secret, place)
    key, variables = wandb_of(wandb, secret)
    chosen = read_bucket(bucket)
    where = JobPlace(
        place=place,
        output=chosen if chosen.path else chosen / "training",
        image=read_image(image),
        machine=read_machine(machine_type, accelerator),
        account=read_account(service_account),
        spot=spot,
        restart=restart,
        timeout_hours=positive(timeout, "--timeout"),
        labels=read_labels(label or []),
        secret=secret,
        key=key,
    )
    delays = read_delays(retry_after)
    numbers = {"TIMESTEPS": timesteps, "N_ENVS": n_envs, "SEED": seed}
    envs = {
        "STAGE": stage,
        "BACKEND": backend,
        "ALGORITHM": algorithm,
        "PHYSICS": physics,
        "GPU_IDS": gpu_ids,
        **{key: str(value) for key, value in numbers.items() if value is not None},
    }
    plans = job_plans(
        where,
        species or typed,
        envs,
        overrides,
        load=read_load(load),
        name=name,
        max_hours=max_hours,
        max_hourly_cost=max_hourly_cost,
        max_cost=max_cost,
        wandb=variables,
    )
    for plan in plans:
        for line in plan.lines():
            typer.echo(redact(line))
    if key:
        typer.echo(
            "  warning: the W&B key will stand in the job's specification, which everybody can read who may look at the"
            " project's jobs; --wandb-secret NAME hands it over through Secret Manager"
        )
    if dry_run:
        for plan in plans:
            typer.echo(redact(json.dumps(plan.spec, indent=2), [key] if key else []))
        typer.echo("dry run: nothing was submitted")
        return
    _submit(plans, delays, wait, yes)


def _submit(plans: list[JobPlan], delays: tuple[float, ...], wait: bool, yes: bool) -> None:
    from mesozoic.cloud.vertex.client import VertexClient
    from mesozoic.cloud.vertex.follow import follow
    from mesozoic.cloud.vertex.jobs import WELL
    from mesozoic.cloud.vertex.plans import look_first, send

    where = plans[0].where
    client = VertexClient(where.place)
    for note in look_first(plans):
        typer.echo(f"  note: {note}")
    confirm("submit it?" if len(plans) == 1 else f"submit these {len(plans)}?", yes)
    jobs: list[Job] = []
    for plan in plans:
        job = send(client, plan, typer.echo, delays)
        jobs.append(job)
        typer.echo(f"custom job {job.number} ({job.name}) is submitted; watch it: mesozoic vertex logs {job.name}")
    if wait:
        ended: list[Any] = [follow(client, job, typer.echo) for job in jobs]
        if any(job.state not in WELL for job in ended):
            raise typer.Exit(1)
