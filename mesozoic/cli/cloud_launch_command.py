"""`mesozoic cloud launch` and `exec`: train on a rented machine, and again on one that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.cloud_options import (
    ClusterName,
    Detach,
    Down,
    DryRun,
    Env,
    Gpus,
    Infra,
    MaxHours,
    Physics,
    Pull,
    Species,
    Spot,
    Stage,
    TaskFile,
    Wait,
    Yes,
    confirm,
)

if TYPE_CHECKING:
    from mesozoic.cloud.sky.client import CloudClient
    from mesozoic.cloud.sky.launch import Plan, Submitted


def launch(
    species: Species = None,
    stage: Stage = None,
    physics: Physics = None,
    gpus: Gpus = None,
    infra: Infra = None,
    spot: Spot = False,
    managed: Annotated[bool, typer.Option("--managed", help="SkyPilot restarts it when it is pre-empted.")] = False,
    retry_until_up: Annotated[
        bool, typer.Option("--retry-until-up", help="Go on asking while all is sold out.")
    ] = False,
    max_hourly_cost: Annotated[float | None, typer.Option(help="Dollars per hour; dearer offers are left out.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Dollars in all, set-up and idling included.")] = None,
    max_hours: MaxHours = None,
    env: Env = None,
    name: Annotated[str | None, typer.Option(help="Of the cluster; default: a new one.")] = None,
    file: TaskFile = None,
    wait: Wait = False,
    pull: Pull = False,
    down: Down = False,
    detach: Detach = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Rent a machine, train on it, and let it end itself.

    Shows the offers with their prices and asks first. `--wait --pull --down` brings the results home and gives the
    machine back. Ctrl-C before the job is submitted takes everything down again; after that the job goes on.
    """
    from mesozoic.cloud.request import parse_envs
    from mesozoic.cloud.sky.launch import make_plan, read_request

    _check_flags(wait, pull, down, detach, managed)
    request = read_request(
        parse_envs(env or []),
        species=species,
        stage=stage,
        physics=physics,
        name=name,
        file=file,
        gpus=gpus,
        infra=infra,
        spot=spot,
        managed=managed,
        retry=retry_until_up,
        max_hourly_cost=max_hourly_cost,
        max_cost=max_cost,
        max_hours=max_hours,
    )
    plan = make_plan(request, dry_run)
    for line in plan.lines():
        typer.echo(line)
    if down and not pull:
        typer.echo("  warning: --down without --pull: the results go with the machine")
    if dry_run:
        typer.echo("dry run: nothing was rented")
        return
    confirm("rent it?", yes)

    from mesozoic.cli import cloud_options
    from mesozoic.cloud.sky.launch import rent

    client = cloud_options.connect()
    if managed:
        _managed(client, plan, detach)
        return
    _after(client, rent(client, plan, typer.echo), request.run_name, pull, down, detach)


def execute(
    name: ClusterName = None,
    species: Species = None,
    stage: Stage = None,
    physics: Physics = None,
    max_hours: MaxHours = None,
    env: Env = None,
    file: TaskFile = None,
    wait: Wait = False,
    pull: Pull = False,
    down: Down = False,
    detach: Detach = False,
    dry_run: DryRun = False,
) -> None:
    """Run the local code again on a cluster that is up.

    Copies the checkout there and runs the job of the launch again, with the changes given here. Set-up does not run:
    after a change of dependencies, launch a new cluster.
    """
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.request import parse_envs
    from mesozoic.cloud.sky.execute import plan_again, run_again
    from mesozoic.cloud.sky.targets import find_cluster

    _check_flags(wait, pull, down, detach)
    envs = parse_envs(env or [])
    client = cloud_options.connect()
    cluster = find_cluster(client, name)
    again = plan_again(cluster, envs, species, stage, physics, max_hours, file)
    price = cluster.placement.price if cluster.placement else None
    typer.echo(f"on {cluster.name}: {cluster.placement}" + ("" if price is None else f" at ${price:.2f}/h"))
    typer.echo("  " + " ".join(f"{key}={value}" for key, value in again.request.envs.items() if value))
    for line in again.request.trainings.lines([] if cluster.placement is None else [cluster.placement]):
        typer.echo(f"  {line}")
    if dry_run:
        typer.echo("dry run: nothing was submitted")
        return
    _after(client, run_again(client, again), again.request.run_name, pull, down, detach)


def _check_flags(wait: bool, pull: bool, down: bool, detach: bool, managed: bool = False) -> None:
    from mesozoic.errors import UserError

    if detach and (wait or pull or down):
        raise UserError("--detach does not wait for the end; leave it out, or leave out --wait, --pull and --down")
    if managed and (pull or down):
        raise UserError(
            "a managed job gives its machine back by itself and keeps its results in its bucket;"
            " leave --pull and --down out"
        )


def _after(client: CloudClient, rented: Submitted, run_name: str, pull: bool, down: bool, detach: bool) -> None:
    """Follow, pull and give back, or say how."""
    from mesozoic.cloud.estimate import IDLE_MINUTES
    from mesozoic.cloud.sky.finish import finish

    name = rented.name
    hints = [
        f"watch:     mesozoic cloud logs {name}",
        f"results:   mesozoic cloud pull {name}   (within {IDLE_MINUTES} min of its end: then the disk is gone)",
        f"give back: mesozoic cloud down {name}",
    ]
    if detach:
        for line in hints:
            typer.echo(line)
        return
    try:
        state = finish(client, rented, run_name, typer.echo, pull, down)
    except KeyboardInterrupt:
        typer.echo(f"\nthe job goes on; the machine ends itself {IDLE_MINUTES} min after it")
        for line in hints:
            typer.echo(line)
        raise typer.Exit(130) from None
    if not down:
        for line in hints[1:]:
            typer.echo(line)
    if state != "SUCCEEDED":
        raise typer.Exit(1)


def _managed(client: CloudClient, plan: Plan, detach: bool) -> None:
    from mesozoic.cloud.sky.launch import rent_managed

    number = rent_managed(client, plan, typer.echo)
    name = plan.request.name
    typer.echo(f"watch:  mesozoic cloud logs {name}")
    typer.echo(f"cancel: mesozoic cloud cancel {name}")
    if detach:
        return
    from mesozoic.cloud.sky.finish import follow_managed

    try:
        state = follow_managed(client, name, number, typer.echo)
    except KeyboardInterrupt:
        typer.echo("\nthe job goes on")
        raise typer.Exit(130) from None
    typer.echo(f"managed job {number} ended: {state}; results: mesozoic cloud pull {name}")
    if state != "SUCCEEDED":
        raise typer.Exit(1)
