"""Options that several `mesozoic cloud` commands share, and how they ask and connect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.options import path_option

if TYPE_CHECKING:
    from mesozoic.cloud.providers import Provider
    from mesozoic.cloud.sky.client import CloudClient

ClusterName = Annotated[str | None, typer.Argument(help="Default: the only one there is.", show_default=False)]
Species = Annotated[str | None, typer.Option(help="velociraptor, trex or brachiosaurus.")]
Stage = Annotated[str | None, typer.Option(help="The number of a stage, or all.")]
Physics = Annotated[str | None, typer.Option(help="auto (mjx-warp on a GPU), native, mjx-warp or mjx-jax.")]
Gpus = Annotated[str | None, typer.Option(help="GPU[:N], for example A100:1, or CPU:8 for none.")]
Infra = Annotated[list[str] | None, typer.Option(help="lambda, gcp, aws or slurm, with /REGION; several: any of them.")]
Spot = Annotated[bool, typer.Option("--spot", help="Cheaper machines that may be taken away.")]
MaxHours = Annotated[float | None, typer.Option(help="The job saves a checkpoint and ends itself after that.")]
Env = Annotated[list[str] | None, typer.Option(help="NAME=VALUE, a knob of the task file; repeat for more.")]
TaskFile = Annotated[Path | None, path_option("Another task file than cloud/train.yaml.", "--file")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once the job is submitted.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the job to its end (so it is without --detach, too).")]
Pull = Annotated[bool, typer.Option("--pull", help="Then copy the results home, to runs/RUN_NAME.")]
Down = Annotated[bool, typer.Option("--down", help="Then terminate the machine.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def connect() -> CloudClient:
    """SkyPilot. Tests put a recorded one in its place."""
    from mesozoic.cloud.sky.sky_client import SkyClient

    return SkyClient()


def providers() -> list[Provider]:
    """Everybody who rents out: what `status`, `down` and `cost --spent` go through.

    SkyPilot is left out where it is not installed, and only Vertex AI was ever asked for anything from here.
    """
    from importlib.util import find_spec

    from mesozoic.cloud.ledger import SKY, VERTEX, every_launch
    from mesozoic.cloud.sky.provider import SkyProvider
    from mesozoic.cloud.vertex.provider import VertexProvider

    only_vertex = every_launch(VERTEX) and not every_launch(SKY) and find_spec("sky") is None
    return [VertexProvider()] if only_vertex else [SkyProvider(connect()), VertexProvider()]


def confirm(question: str, yes: bool) -> None:
    """Ask, unless `yes`; leave with 1 at anything but yes.

    Raises:
        UserError: there is nobody to ask.
    """
    import sys

    from mesozoic.errors import UserError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"'{question}' cannot be asked without a terminal; add --yes")
    if not typer.confirm(question):
        typer.echo("nothing was done")
        raise typer.Exit(1)
