"""`mesozoic sweep best` and `mesozoic sweep collect-results`: what a sweep found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import path_option, read_path


def best(
    folder: Annotated[Path, typer.Argument(parser=read_path, metavar="FOLDER", help="--output-dir of a sweep.")],
    stage: Annotated[int | None, typer.Option(help="Default: the last one that has trials.")] = None,
    episodes: Annotated[int, typer.Option(help="Fresh episodes of the winner.", min=1, max=65536)] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the best trial, what to type to train with its values, and its figures on fresh episodes."""
    from mesozoic.run.evaluation import without_nan
    from mesozoic.sweep.best import find_winner

    found = find_winner(folder, stage, episodes)
    if as_json:
        typer.echo(json.dumps(without_nan(found.to_json()), indent=2, allow_nan=False))
        return
    record, fresh = found.record, found.fresh
    lower = "" if record.lower is None else f" (95 % lower bound over {record.seeds} seeds {record.lower:.4f})"
    typer.echo(f"best of {found.trials} trials of stage {found.stage}: trial {found.id}, {record.state}")
    typer.echo(f"  {record.objective} {record.value:.4f}{lower}")
    typer.echo(f"  best evaluation in training {found.found_value:.4f}, chosen for it, so it flatters")
    typer.echo(
        f"  on {episodes} fresh episodes   {found.fresh_value:.4f}: success {fresh['success']:.3f}"
        f" (95 % {fresh['success_low']:.3f} to {fresh['success_high']:.3f})"
    )
    typer.echo(f"  policy {found.policy}\n\n{found.command}")


def collect_results(
    place: Annotated[
        str, typer.Argument(metavar="FOLDER|URL", help="Of a sweep or a curriculum; gs:// and s3:// too.")
    ],
    more_stages: Annotated[list[int] | None, typer.Argument(metavar="", hidden=True)] = None,
    csv: Annotated[Path | None, path_option("Table; default: collected_results.csv in a folder, else here.")] = None,
    species: Annotated[str | None, typer.Option(help="In titles; default: what the results say.")] = None,
    algorithm: Annotated[str | None, typer.Option(help="In titles; default: what the results say.")] = None,
    stages: Annotated[list[int] | None, typer.Option(help="Only these; several may follow.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw three pictures beside the table.")] = False,
) -> None:
    """Collect all trials of a sweep, or all stages of a curriculum, into one table."""
    from mesozoic.errors import UserError
    from mesozoic.files import cause
    from mesozoic.sweep.results import collect, table_place, write_table

    rows = collect(
        place, [*(stages or []), *(more_stages or [])], warn=lambda line: typer.echo(f"warning: {line}", err=True)
    )
    file = csv or table_place(place)
    try:
        write_table(rows, file)
    except OSError as error:
        raise UserError(f"cannot write {file} ({cause(error)}); give another with --csv") from None
    passed = sum(bool(row["stage_passed"]) for row in rows)
    typer.echo(f"{len(rows)} results, {passed} passed their gate; table {file}")
    if plot:
        from mesozoic.sweep.results_plot import draw

        pictures, missing = draw(rows, file.parent, species, algorithm)
        for line in [*(f"picture {one}" for one in pictures), *missing]:
            typer.echo(line)
