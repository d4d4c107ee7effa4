"""`mesozoic species`: the animals there are; `mesozoic species check`: whether a folder holds one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mesozoic.cli.options import read_path

app = typer.Typer(help="List the animals, their stages and their sizes.", invoke_without_command=True)


@app.callback()
def species(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the animals, their stages and their sizes; `check` examines a species folder."""
    if context.invoked_subcommand is not None:
        return

    from mesozoic.species import species_names

    rows = [_row(name) for name in species_names()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        if "problem" in row:
            typer.echo(f"{row['name']}: {row['problem']}")
            continue
        typer.echo(f"{row['name']}: {row['title']}; stages: {', '.join(row['stages'])}")
        for size in row["sizes"]:
            typer.echo(f"    {size}")


def _row(name: str) -> dict[str, Any]:
    """What is listed of an animal; what is wrong with one that another package brings must not hide the others."""
    from mesozoic.errors import UserError
    from mesozoic.species import get_species, stage_files

    try:
        animal, files = get_species(name), stage_files(name)
    except UserError as error:
        return {"name": name, "problem": str(error)}
    sizes = [f"{size.quantity} {size.value:g} {size.unit} ({size.source})" for size in animal.sizes]
    stages = [path.stem for path in files.values()]
    return {"name": name, "title": animal.title, "behaviour": animal.behaviour, "stages": stages, "sizes": sizes}


@app.command()
def check(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=read_path, metavar="FOLDER", help="Holds facts.toml and model.xml; need not be registered."
        ),
    ],
) -> None:
    """Hold a species folder against every check: body, servos, standing, sizes, stages, policies.

    Exit codes: 0 all passed, 1 one did not, 2 the folder cannot be read.
    """
    from mesozoic.run.species_check import check_species_folder

    found = []
    for finding in check_species_folder(folder):
        found.append(finding)
        typer.echo(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.name}: {finding.figures}")
    passed = sum(finding.passed for finding in found)
    typer.echo(f"{passed} of {len(found)} checks passed")
    if passed < len(found):
        raise typer.Exit(1)
