"""`mesozoic cloud sweep`: a W&B sweep, with one agent for each GPU of a rented machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.cloud_options import DryRun, Env, Spot, Wait, Yes, confirm
from mesozoic.cli.options import path_option


def sweep(
    gpus: Annotated[str, typer.Argument(metavar="GPU[:N]", help="A100:8, A100 (one) or CPU:4 (four agents).")] = "A100",
    infra: Annotated[str | None, typer.Option(help="lambda, gcp, aws or slurm, with /REGION.")] = None,
    sweep_file: Annotated[
        Path | None, path_option("W&B sweep file; default: configs/sweeps/velociraptor_balance.yaml.", "--sweep")
    ] = None,
    any_command: Annotated[
        bool,
        typer.Option("--any-command", help="Take a sweep file that runs something else than trials."),
    ] = False,
    nodes: Annotated[int, typer.Option(help="Machines of that size.", min=1)] = 1,
    pool: Annotated[bool, typer.Option("--pool", help="A SkyPilot managed pool instead of a cluster.")] = False,
    spot: Spot = False,
    project: Annotated[str | None, typer.Option(help="Of W&B.")] = None,
    entity: Annotated[str | None, typer.Option(help="Of W&B.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the cluster; default: a new one.")] = None,
    max_hourly_cost: Annotated[float | None, typer.Option(help="Dollars per hour; dearer offers are left out.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Dollars in all, of all machines, with set-up.")] = None,
    max_hours: Annotated[float | None, typer.Option(help="All agents save checkpoints and end after that.")] = None,
    retry_until_up: Annotated[
        bool, typer.Option("--retry-until-up", help="Go on asking while all is sold out.")
    ] = False,
    env: Env = None,
    wait: Wait = False,
    pull: Annotated[Path | None, path_option("With --wait: copy the run folders into this folder.")] = None,
    down: Annotated[bool, typer.Option("--down", help="With --wait: then terminate the machine.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Create a W&B sweep, rent a machine, and run one agent for each of its GPUs."""
    from mesozoic.cloud.request import parse_envs
    from mesozoic.cloud.sky.sweep import RentedSweepRequest, launch_sweep

    def ask(question: str) -> bool:
        confirm(question, yes)
        return True

    request = RentedSweepRequest(
        gpus=gpus,
        infra=infra,
        sweep_file=sweep_file,
        any_command=any_command,
        nodes=nodes,
        pool=pool,
        spot=spot,
        project=project,
        entity=entity,
        name=name,
        max_hourly_cost=max_hourly_cost,
        max_cost=max_cost,
        max_hours=max_hours,
        retry_until_up=retry_until_up,
        env=tuple(parse_envs(env or []).items()),
        wait=wait,
        pull=pull,
        down=down,
        dry_run=dry_run,
        yes=yes,
    )
    result = launch_sweep(request, say=typer.echo, confirm=ask)
    if wait and result.failed:
        raise typer.Exit(1)
