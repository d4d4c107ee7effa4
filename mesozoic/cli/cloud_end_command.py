"""`mesozoic cloud cancel`, `stop` and `down`: end jobs, and give machines back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.cloud_options import ClusterName, DryRun, Yes, confirm

if TYPE_CHECKING:
    from mesozoic.cloud.sky.client import CloudClient, Cluster


def cancel(
    name: ClusterName = None,
    job: Annotated[list[int] | None, typer.Option(help="Which job; repeat for more.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs of the cluster.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Cancel jobs of a cluster, or a managed job. A training that is cancelled saves a checkpoint."""
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.sky.targets import find_cluster, find_managed
    from mesozoic.errors import UserError

    client = cloud_options.connect()
    managed = None if name is None else find_managed(client, name)
    if managed is not None:
        if managed.ended:
            typer.echo(f"managed job {managed.id} ({managed.name}) is {managed.state} already")
            return
        if _go_on(f"cancel managed job {managed.id} ({managed.name})", dry_run, yes):
            client.cancel_managed([managed.id])
            typer.echo(f"managed job {managed.id} ({managed.name}) is cancelled; its machine is given back")
        return
    cluster = find_cluster(client, name)
    if not job and not every:
        raise UserError(f"which job of '{cluster.name}'? give --job N (see 'mesozoic cloud queue') or --all")
    what = "all jobs" if every else f"job {', '.join(map(str, job or []))}"
    if _go_on(f"cancel {what} of {cluster.name}", dry_run, yes):
        client.cancel_jobs(cluster.name, None if every else job)
        typer.echo(f"cancelled {what}; {cluster.name} is still paid for until it has been idle or you end it")


def stop(name: ClusterName = None, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Stop a machine and keep its disk, where the cloud can (GCP and AWS; not Lambda, not Slurm)."""
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.sky.stop import refuse_if_impossible
    from mesozoic.cloud.sky.stop import stop as stop_cluster
    from mesozoic.cloud.sky.targets import find_cluster

    client = cloud_options.connect()
    cluster = find_cluster(client, name)
    refuse_if_impossible(cluster)
    if _go_on(f"stop {cluster.name} (its disk is still paid for)", dry_run, yes):
        stop_cluster(client, cluster)
        typer.echo(f"{cluster.name} is stopped; 'sky start {cluster.name}' continues, and its disk costs until then")


def down(
    name: ClusterName = None,
    every: Annotated[bool, typer.Option("--all", help="All clusters and managed jobs of this project.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Terminate a machine, wait until it is gone, and look whether anything of this project is left.

    Its disk is lost: pull results first. Exit code 1 if something could not be confirmed to be gone.
    """
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.ledger import read_ledger
    from mesozoic.cloud.sky.give_back import give_back, our_clusters, report_left
    from mesozoic.cloud.sky.targets import find_cluster, our_managed_jobs
    from mesozoic.errors import UserError

    if every and name is not None:
        raise UserError(f"'{name}' or --all, not both")
    client = cloud_options.connect()
    clusters = our_clusters(client, refresh=True) if every else [find_cluster(client, name, up=False)]
    has_managed = every and any(line.get("managed") for line in read_ledger())
    jobs = [job for job in our_managed_jobs(client) if not job.ended] if has_managed else []
    for cluster in clusters:
        typer.echo(f"{cluster.name}  {cluster.state}  {cluster.placement or 'not known yet'}{_busy(client, cluster)}")
    for job in jobs:
        typer.echo(f"managed job {job.id}  {job.name}  {job.state}")
    if not clusters and not jobs:
        typer.echo("checked with SkyPilot and the clouds: no cluster of this project is there")
        return
    if not _go_on("terminate it, and lose its disk" if len(clusters) == 1 else "terminate these", dry_run, yes):
        return
    if jobs:
        client.cancel_managed([job.id for job in jobs])
    left = give_back(client, [cluster.name for cluster in clusters], typer.echo)
    for cluster in clusters:
        if cluster.name not in left:
            typer.echo(f"{cluster.name} is down")
    for lost in left:
        typer.echo(f"{lost} could NOT be confirmed to be gone; look at the cloud's own console", err=True)
    others = report_left(client, typer.echo)
    if left or (every and others):
        raise typer.Exit(1)


def _busy(client: CloudClient, cluster: Cluster) -> str:
    """A word of warning when jobs run there."""
    from mesozoic.errors import UserError

    if cluster.state != "UP":
        return ""
    try:
        running = [job for job in client.jobs(cluster.name) if not job.ended]
    except UserError:
        return ""
    return f"; {len(running)} of its jobs still run" if running else ""


def _go_on(what: str, dry_run: bool, yes: bool) -> bool:
    """Ask; False at a dry run."""
    if dry_run:
        typer.echo(f"would {what}\ndry run: nothing was done")
        return False
    confirm(f"{what}?", yes)
    return True
