"""`mesozoic report`: everything about runs in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import path_option, read_path


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(parser=read_path, metavar="RUN...", help="Run folders, policy files, or species that ship."),
    ],
    stage: Annotated[int | None, typer.Option(help="Only this one; default: all.")] = None,
    output: Annotated[Path, path_option("Report (.html).")] = Path("report.html"),
    episodes: Annotated[
        int | None, typer.Option(help="Unseen episodes of each policy; default: as its gate.", min=1, max=4096)
    ] = None,
    seed: Annotated[int, typer.Option(help="Which episodes; training never sees any of them.", min=0)] = 0,
    robustness: Annotated[
        int, typer.Option(help="Episodes in each changed world; 0 leaves these out.", min=0, max=4096)
    ] = 32,
) -> None:
    """Write a report of a run, or of several seeds side by side: curves, gates, gait, robustness, replays."""
    from mesozoic.report.report import write_report

    size = write_report(
        runs,
        output,
        stage,
        episodes=episodes,
        seed=seed,
        robustness=robustness,
        say=lambda line: typer.echo(line, err=True),
    )
    typer.echo(f"report {output} ({size / 1e6:.2f} MB); open it in any browser, it needs no network")
