"""`mesozoic species`: the animals there are."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def species(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the animals, their stages and their sizes."""
    from mesozoic.species import get_species, species_names, stage_files

    rows = []
    for name in species_names():
        animal = get_species(name)
        stages = [path.stem for path in stage_files(name).values()]
        sizes = [f"{size.quantity} {size.value:g} {size.unit} ({size.source})" for size in animal.sizes]
        rows.append(
            {"name": name, "title": animal.title, "behaviour": animal.behaviour, "stages": stages, "sizes": sizes}
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['title']}; stages: {', '.join(row['stages'])}")
        for size in row["sizes"]:
            typer.echo(f"    {size}")
