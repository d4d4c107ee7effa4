"""`mesozoic sweep agent`: work on a sweep of W&B, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import path_option


def agent(
    sweep: Annotated[
        str, typer.Argument(metavar="ENTITY/PROJECT/ID", help="As 'sweep launch --engine wandb' says it.")
    ],
    gpus: Annotated[str, typer.Option(help="all: an agent for each GPU (without any: for every two cores).")] = "all",
    parallel: Annotated[int | None, typer.Option(help="Agents side by side, instead.", min=1, max=256)] = None,
    max_hours: Annotated[float | None, typer.Option(help="After which runs save a checkpoint and agents end.")] = None,
    max_failures: Annotated[int, typer.Option(help="In a row, after which an agent ends.", min=1)] = 3,
    output_dir: Annotated[Path | None, path_option("Where run folders go; default: ~/mesozoic-runs.")] = None,
) -> None:
    """Run trials of a W&B sweep until it has none left. Exit code 1 if one failed, 143 if it was stopped."""
    from mesozoic.cloud.request import positive
    from mesozoic.errors import UserError, shown
    from mesozoic.sweep.agent import check_access
    from mesozoic.sweep.engines.agents import run_agents

    if gpus != "all" and not (gpus.isdecimal() and 1 <= int(gpus[:4]) <= 256):
        raise UserError(f"--gpus '{shown(gpus)}' is no number of GPUs; give all, or for example --gpus 4")
    count = parallel or (int(gpus) if gpus != "all" else None)
    positive(max_hours, "--max-hours")
    check_access(sweep)
    code = run_agents(sweep, count, max_hours, max_failures, output_dir, typer.echo)
    if code:
        raise typer.Exit(code)
