"""`mesozoic cloud status`, `queue`, `logs` and `pull`: look at what runs, and bring results home."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.cloud_options import AsJson, ClusterName, DryRun
from mesozoic.cli.options import path_option

if TYPE_CHECKING:
    from mesozoic.cloud.sky.client import Job


def status(
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the clouds themselves.")] = False,
    as_json: AsJson = False,
) -> None:
    """List everything of this project that is rented, or may be: clusters, jobs, pools; and what it costs."""
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.providers import SECTIONS

    providers = cloud_options.providers()
    rented = [one for provider in providers for one in provider.ours(refresh)]
    beside = [line for provider in providers for line in provider.beside()]
    if as_json:
        sections: dict[str, list[object]] = {section: [] for section in SECTIONS}
        for one in rented:
            sections[one.section].append(one.details)
        typer.echo(json.dumps({**sections, "notes": beside}, indent=2))
        return
    for one in rented:
        for line in one.lines():
            typer.echo(line)
    if not rented:
        typer.echo("nothing of this project is rented")
    for line in beside:
        typer.echo(line)


def queue(name: ClusterName = None, as_json: AsJson = False) -> None:
    """List the jobs of a cluster."""
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.sky.targets import find_cluster, find_managed

    client = cloud_options.connect()
    managed = None if name is None else find_managed(client, name)
    jobs = [managed] if managed else client.jobs(find_cluster(client, name).name)
    if as_json:
        typer.echo(json.dumps([job.__dict__ for job in jobs], indent=2))
        return
    for job in sorted(jobs, key=lambda one: one.id):
        typer.echo(_job_line(job))
    if not jobs:
        typer.echo("no jobs")


def logs(
    name: ClusterName = None,
    job: Annotated[int | None, typer.Option(help="Which job; default: the last.")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until the job ends.")] = True,
    tail: Annotated[int, typer.Option(help="Only the last lines; 0: all.", min=0)] = 0,
) -> None:
    """Print the output of a job. Ctrl-C stops printing, not the job. Exit code 1: the job failed."""
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.sky.targets import find_cluster, find_managed

    client = cloud_options.connect()
    managed = None if name is None else find_managed(client, name)
    if managed is not None:
        code = client.tail_managed(managed.id, follow, tail)
    else:
        code = client.tail(find_cluster(client, name).name, job, follow, tail)
    if code and follow:
        raise typer.Exit(1)


def pull(
    name: ClusterName = None,
    run: Annotated[str | None, typer.Option(help="Which run folder; default: that of the last launch or exec.")] = None,
    output: Annotated[Path | None, path_option("Where to; default: runs/RUN_NAME.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Copy a run folder from a cluster, or from the bucket of a managed job, also while it trains.

    Again copies only what has changed.
    """
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.pulled import report_pulled
    from mesozoic.cloud.sky import pull as puller
    from mesozoic.cloud.sky.bucket import pull_from_bucket, where_in_bucket
    from mesozoic.cloud.sky.targets import find_cluster, find_managed

    client = cloud_options.connect()
    managed = None if name is None else find_managed(client, name)
    if managed is not None:
        if dry_run:
            bucket, source, target = where_in_bucket(managed.name, run, output)
            typer.echo(f"would copy run {source} of bucket {bucket} to {target}\ndry run: nothing was copied")
            return
        report_pulled(pull_from_bucket(client, managed.name, run, output, typer.echo), typer.echo)
        return
    cluster = find_cluster(client, name)
    if dry_run:
        source, target = puller.where(cluster, run, output)
        typer.echo(f"would copy run {source} of {cluster.name} to {target}\ndry run: nothing was copied")
        return
    report_pulled(puller.pull(client, cluster, run, output, typer.echo), typer.echo)


def _job_line(job: Job) -> str:
    from mesozoic.cloud.spans import span

    submitted = datetime.fromtimestamp(job.submitted_at).strftime("%Y-%m-%d %H:%M:%S") if job.submitted_at else "?"
    took = ""
    if job.started_at:
        end = job.ended_at or datetime.now().timestamp()
        took = f", {'took' if job.ended_at else 'running for'} {span(max(0.0, end - job.started_at))}"
    return f"{job.id}  {job.name}  {job.state}, submitted {submitted}{took}"
