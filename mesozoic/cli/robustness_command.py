"""`mesozoic robustness`: a trained policy in worlds that it was not trained in."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.options import PolicyArgument, PolicySpecies, PolicyStage, StageOverride, StageWords

if TYPE_CHECKING:
    from mesozoic.evaluation.robustness import Row


def robustness(
    policy: PolicyArgument,
    words: StageWords = None,
    stage: PolicyStage = None,
    species: PolicySpecies = None,
    episodes: Annotated[int, typer.Option(help="Episodes in each world, all at once.", min=1, max=65536)] = 64,
    seed: Annotated[int, typer.Option(help="Which episodes; training never sees any of them.", min=0)] = 0,
    override: StageOverride = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Evaluate a policy under fixed headings, other masses and other friction, beside the unchanged world."""
    from mesozoic.evaluation.robustness import measure_robustness
    from mesozoic.run.policy_source import open_policy

    loaded, animal, config = open_policy(policy, species, [*(override or []), *(words or [])], stage)
    rows = measure_robustness(loaded.act, animal, config, seed, episodes)
    if as_json:
        result = {"species": animal.name, "stage": loaded.stage, "seed": seed, "episodes": episodes}
        typer.echo(json.dumps({**result, "rows": [asdict(row) for row in rows]}, indent=2))
        return
    _print_table(f"{animal.name} stage {loaded.stage}, {episodes} unseen episodes in each world", rows)
    worst = max(rows, key=lambda row: row.drop)
    if worst.drop > 0.0:
        typer.echo(f"largest drop: {worst.drop:.3f} with {worst.name}")
    else:
        typer.echo("no drop anywhere")


def _print_table(title: str, rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    walks = any(row.speed is not None for row in rows)
    table = Table("", "success", "95 % bounds", "drop", "survival", "score", title=title)
    if walks:
        table.add_column("speed")
    for row in rows:
        bounds = f"{row.success_low:.3f} to {row.success_high:.3f}"
        drop = f"{row.drop:+.3f}" if row.drop else "0"
        cells = [row.name, f"{row.success:.3f}", bounds, drop, f"{row.survival:.3f}", f"{row.score:.3f}"]
        table.add_row(*cells, *([f"{row.speed:.3f}" if row.speed is not None else "-"] if walks else []))
    Console().print(table)
