"""`mesozoic cloud cost` and `check`: prices before, money spent after, and whether the credentials are in order."""

from __future__ import annotations

from typing import Annotated

import typer

from mesozoic.cli.cloud_options import Env, Gpus, Infra, MaxHours, Physics, Species, Spot, Stage, TaskFile


def cost(
    species: Species = None,
    stage: Stage = None,
    physics: Physics = None,
    gpus: Gpus = None,
    infra: Infra = None,
    spot: Spot = False,
    max_hours: MaxHours = None,
    env: Env = None,
    file: TaskFile = None,
    spent: Annotated[bool, typer.Option("--spent", help="What was spent, instead of what it would cost.")] = False,
    days: Annotated[int, typer.Option(help="With --spent: how many days back.", min=1)] = 30,
) -> None:
    """List prices per cloud and GPU, and what a training would come to; or, with --spent, what was spent.

    Needs no account: prices are those of SkyPilot's catalogs. Duration is given where it was measured.
    """
    if spent:
        _print_spent(days)
        return
    from mesozoic.cloud.request import parse_envs
    from mesozoic.cloud.sky.cost import price_table
    from mesozoic.cloud.sky.launch import read_request

    request = read_request(
        parse_envs(env or []),
        species=species,
        stage=stage,
        physics=physics,
        file=file,
        gpus=gpus,
        infra=infra,
        spot=spot,
        max_hours=max_hours,
    )
    for line in price_table(request):
        typer.echo(line)


def _print_spent(days: int) -> None:
    from mesozoic.cli import cloud_options
    from mesozoic.cloud.spent import spent_table

    for line in spent_table(cloud_options.providers(), days):
        typer.echo(line)


def check(
    clouds: Annotated[list[str] | None, typer.Argument(help="lambda, gcp, aws, slurm; default: all.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only look at files, ask no cloud.")] = False,
) -> None:
    """Check the credentials of each cloud, and say what to type to mend them.

    First the files, then SkyPilot itself. Exit code 1 if none of the clouds can be used.
    """
    from mesozoic.cloud.request import CLOUDS, parse_infra
    from mesozoic.cloud.sky.preflight import preflight
    from mesozoic.sweep.wandb_account import wandb_key

    asked = [parse_infra(cloud).partition("/")[0] for cloud in clouds or CLOUDS]
    results = [preflight(cloud) for cloud in dict.fromkeys(asked)]
    works = _works([one.cloud for one in results if one.ready]) if not offline else None
    usable = 0
    for one in results:
        if not one.ready:
            typer.echo(f"{one.cloud}: not set up: {one.found}; {one.fix}")
        elif works is None:
            usable += 1
            typer.echo(f"{one.cloud}: found {one.found}")
        elif one.cloud in works:
            usable += 1
            typer.echo(f"{one.cloud}: works ({one.found})")
        else:
            typer.echo(f"{one.cloud}: found {one.found}, but SkyPilot cannot use it; type: sky check {one.cloud}")
    found = "key found" if wandb_key() else "no key; to log there, type: export WANDB_API_KEY=YOUR_KEY (optional)"
    typer.echo(f"Weights & Biases: {found}")
    if not usable:
        raise typer.Exit(1)


def _works(clouds: list[str]) -> list[str]:
    """Those of the clouds that SkyPilot can use."""
    if not clouds:
        return []
    from mesozoic.cli import cloud_options

    return cloud_options.connect().check(clouds)
