"""`mesozoic plot`: curves of runs as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import path_option, read_path

RunsArgument = Annotated[
    list[Path],
    typer.Argument(parser=read_path, metavar="RUN...", help="Run folders (of several seeds, say), or their stages."),
]


def plot(
    runs: RunsArgument,
    stage: Annotated[int | None, typer.Option(help="Only this one; default: all, a file each.")] = None,
    output: Annotated[Path, path_option("Picture, .svg or .png (extra [viz]).")] = Path("curves.svg"),
    metric: Annotated[
        list[str] | None, typer.Option(help="A column of training.csv, eval/score say; default: the usual ones.")
    ] = None,
) -> None:
    """Draw the curves of trainings: the median and range of several seeds, gates and baselines as lines."""
    from mesozoic.report.plot import plot_runs

    for path in plot_runs(runs, output, stage, metric or ()):
        typer.echo(f"wrote {path}")
