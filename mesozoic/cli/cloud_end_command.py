"""`mesozoic cloud cancel`, `stop` and `down`: end jobs, and give machines back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.cloud_options import ClusterName, DryRun, Yes, confirm

if TYPE_CHECKING:
    from mesozoic.cloud.providers import Provider, Rented


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
    from mesozoic.cloud.sky.targets import find_cluster, our_clusters
    from mesozoic.errors import UserError

    client = cloud_options.connect()
    cluster = find_cluster(client, name)
    if cluster not in our_clusters(client):
        raise UserError(f"'{cluster.name}' was not launched from here; if it is yours, type: sky stop {cluster.name}")
    refuse_if_impossible(cluster)
    if _go_on(f"stop {cluster.name} (its disk is still paid for)", dry_run, yes):
        stop_cluster(client, cluster)
        typer.echo(f"{cluster.name} is stopped; 'sky start {cluster.name}' continues, and its disk costs until then")


def down(
    name: ClusterName = None,
    every: Annotated[bool, typer.Option("--all", help="All clusters, jobs and pools of this project.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """End what was launched from here, wait until it is gone, and look whether anything of this project is left.

    A machine's disk is lost: pull results first. Exit code 1 if something could not be confirmed to be gone.
    """
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.names import plain_name
    from mesozoic.cloud.undo import give_back, report_left
    from mesozoic.errors import UserError

    if every and name is not None:
        raise UserError(f"'{name}' or --all, not both")
    if name is not None:
        plain_name(name)
    providers = cloud_options.providers()
    found = [(provider, one) for provider in providers for one in provider.ours(refresh=True)]
    meant = {one.name for _, one in found} if every else _meant(name, found)
    chosen = [(provider, one) for provider, one in found if one.name in meant]
    for _, one in chosen:
        for line in one.lines():
            typer.echo(line)
    if not chosen:
        asked = " and ".join(provider.called for provider in providers)
        typer.echo(f"checked with {asked}: nothing of this project is there")
        return
    names = list(dict.fromkeys(one.name for _, one in chosen))
    if not _go_on("end it, and lose its disk" if len(names) == 1 else "end these", dry_run, yes):
        return
    left: list[str] = []
    others: list[Rented] = []
    for provider in dict.fromkeys(provider for provider, _ in chosen):
        mine = list(dict.fromkeys(one.name for whose, one in chosen if whose is provider))
        lost = give_back(provider, mine, typer.echo)
        for ended in mine:
            if ended not in lost:
                typer.echo(f"{ended} is down")
        for one_lost in lost:
            typer.echo(f"{one_lost} could NOT be confirmed to be gone; look at the cloud's own console", err=True)
        left += lost
        others += report_left(provider, typer.echo)
    if left or (every and others):
        raise typer.Exit(1)


def _meant(name: str | None, found: Sequence[tuple[Provider, Rented]]) -> set[str]:
    """Names of what `name`, with or without our prefix, means among what there is; without one, of the only thing.

    Raises:
        UserError: there is no such thing, or there are several.
    """
    from mesozoic.cloud.names import PREFIX
    from mesozoic.errors import UserError, did_you_mean

    names = list(dict.fromkeys(one.name for _, one in found))
    if name is None:
        if len(names) > 1:
            raise UserError(f"there are several things; name one of: {', '.join(names)}; or give --all")
        return set(names)
    for known in (name, PREFIX + name):
        if known in names:
            return {known}
    near = did_you_mean(name, names) or ";"
    raise UserError(
        f"nothing '{name}' was launched from here{near} 'mesozoic cloud status' lists what was; what another project"
        " launched is ended with 'sky down'"
    )


def _go_on(what: str, dry_run: bool, yes: bool) -> bool:
    """Ask; False at a dry run."""
    if dry_run:
        typer.echo(f"would {what}\ndry run: nothing was done")
        return False
    confirm(f"{what}?", yes)
    return True
