"""`mesozoic vertex list`, `status`, `logs`, `cancel` and `download`: look at jobs, end them, bring results home."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.cloud_options import AsJson, DryRun, Yes, confirm
from mesozoic.cli.vertex_options import JobName, Output, Project, Region

if TYPE_CHECKING:
    from mesozoic.cloud.vertex.jobs import Job


def list_jobs(
    project: Project = None,
    region: Region = None,
    every: Annotated[bool, typer.Option("--all", help="Also jobs that mesozoic has not submitted.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a project, newest first; also those that were submitted from elsewhere."""
    from mesozoic.cloud.vertex.client import VertexClient
    from mesozoic.cloud.vertex.targets import find_place

    jobs = VertexClient(find_place(project, region)).jobs(ours=not every)
    if as_json:
        typer.echo(json.dumps([_facts(job) for job in jobs], indent=2))
        return
    for job in jobs:
        typer.echo(_line(job))
    if not jobs:
        typer.echo("no jobs")


def status(name: JobName = None, project: Project = None, region: Region = None, as_json: AsJson = False) -> None:
    """Say how a job is going; of a tuning job also its trials."""
    from mesozoic.cloud.vertex.targets import find_job, folder_of
    from mesozoic.errors import UserError, plain

    _, job, launch = find_job(name, project, region)
    if as_json:
        typer.echo(json.dumps(_facts(job), indent=2))
        return
    typer.echo(_line(job))
    if job.error:
        typer.echo(f"    {plain(job.error)}")
    for trial in job.trials:
        values = " ".join(f"{key}={value}" for key, value in trial.parameters.items())
        last = trial.final or (trial.measurements[-1] if trial.measurements else None)
        nothing = f"failed: {plain(trial.reason) or 'no measurement'}" if trial.failed else "no measurement yet"
        metrics = nothing if last is None else " ".join(f"{k}={v:.4g}" for k, v in last.metrics.items())
        typer.echo(f"    trial {trial.id}  {trial.state}  {metrics}  {values}")
    with suppress(UserError):
        typer.echo(f"    results in {folder_of(job, launch).url}")


def logs(
    name: JobName = None,
    project: Project = None,
    region: Region = None,
    wait: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until the job ends.")] = True,
) -> None:
    """Print what a job prints. Ctrl-C stops printing, not the job. Exit code 1: the job failed."""
    from mesozoic.cloud.vertex.follow import Log, follow
    from mesozoic.cloud.vertex.jobs import WELL
    from mesozoic.cloud.vertex.targets import find_job

    client, job, _ = find_job(name, project, region)
    if not wait:
        for line in Log(client.place.project, job).new():
            typer.echo(line)
        return
    if follow(client, job, typer.echo).state not in WELL:
        raise typer.Exit(1)


def cancel(
    name: JobName = None, project: Project = None, region: Region = None, dry_run: DryRun = False, yes: Yes = False
) -> None:
    """End a job and wait until it has ended. A training that is cancelled saves a checkpoint."""
    from mesozoic.cloud.undo import hand_back
    from mesozoic.cloud.vertex.provider import VertexProvider
    from mesozoic.cloud.vertex.targets import find_job

    client, job, launch = find_job(name, project, region)
    if job.ended:
        typer.echo(f"{job.kind} {job.number} ({job.name}) is {job.state} already")
        return
    if dry_run:
        typer.echo(f"would cancel {job.kind} {job.number} ({job.name})\ndry run: nothing was done")
        return
    confirm(f"cancel {job.kind} {job.number} ({job.name})?", yes)
    if launch is not None and not launch.down:
        hand_back(VertexProvider(), launch.name, typer.echo)
        return
    client.cancel(job.resource)
    typer.echo(f"{job.kind} {job.number} ({job.name}) was told to end; look with: mesozoic vertex status {job.number}")


def download(
    name: JobName = None,
    project: Project = None,
    region: Region = None,
    output: Annotated[Path | None, Output] = None,
    dry_run: DryRun = False,
) -> None:
    """Copy a job's run folder from its bucket, also while it trains. Again copies only what has changed."""
    from mesozoic.cloud.pulled import report_pulled
    from mesozoic.cloud.vertex.bucket import Storage
    from mesozoic.cloud.vertex.download import download as fetch
    from mesozoic.cloud.vertex.targets import find_job, folder_of

    client, job, launch = find_job(name, project, region)
    folder = folder_of(job, launch)
    target = output or Path("runs") / folder.key.rpartition("/")[2]
    if dry_run:
        typer.echo(f"would copy {folder.url} to {target}\ndry run: nothing was copied")
        return
    report_pulled(fetch(Storage(client.place.project), folder, target, typer.echo), typer.echo)


def _line(job: Job) -> str:
    from mesozoic.cloud.spans import span
    from mesozoic.errors import plain

    began = datetime.fromtimestamp(job.created).strftime("%Y-%m-%d %H:%M:%S") if job.created else "?"
    took = ""
    if job.started:
        end = job.finished or datetime.now().timestamp()
        took = f", {'took' if job.finished else 'running for'} {span(max(0.0, end - job.started))}"
    failed = sum(one.failed for one in job.trials)
    trials = f", {len(job.trials)} trials" if job.trials else ""
    trials += f" ({failed} failed)" if failed else ""
    return plain(f"{job.number}  {job.name}  {job.kind}  {job.state}, submitted {began}{took}{trials}")


def _facts(job: Job) -> dict[str, object]:
    return {"id": job.number, **{key: value for key, value in asdict(job).items() if key != "spec"}}
