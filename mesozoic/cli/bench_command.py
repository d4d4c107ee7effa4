"""`mesozoic bench`: how fast this machine simulates and trains."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from mesozoic.cli.options import path_option, whole_option


def bench(
    species: Annotated[str, typer.Argument(help="Which animal.")] = "velociraptor",
    stage: Annotated[int, typer.Option(help="Which stage file.")] = 1,
    n_envs: Annotated[int | None, whole_option("Worlds side by side.")] = None,
    backend: Annotated[str, typer.Option(help="auto, jax or sb3.")] = "auto",
    seconds: Annotated[float, typer.Option(help="Seconds of each measurement.", min=0.1)] = 2.0,
    rounds: Annotated[int, typer.Option(help="Measurements of each; the median counts.", min=1)] = 5,
    peer: Annotated[bool, typer.Option("--peer", help="Also measure SB3 PPO, here and on Humanoid-v5.")] = False,
    override: Annotated[list[str] | None, typer.Option(help="section.key=value of the stage.")] = None,
    output: Annotated[Path | None, path_option("Write the JSON to this file as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure physics, environment and training, as steps per second and as a share of raw physics."""
    from mesozoic.run.problems import resolve
    from mesozoic.run.spec import RunSpec
    from mesozoic.run.words import stage_flags
    from mesozoic.species import get_species

    overrides = (*(override or []), *stage_flags({"n-envs": n_envs}))
    (spec,) = resolve(RunSpec(species=species, stage=stage, backend=backend, overrides=overrides))
    animal, config = get_species(species), spec.config

    from mesozoic.bench.peer import measure_peers
    from mesozoic.bench.rates import measure
    from mesozoic.files import replacing
    from mesozoic.run.versions import cores, versions

    result: dict[str, Any] = {"species": species, "stage": stage, "cores": cores(), "versions": versions()}
    with nullcontext() if output is None else replacing(output) as aside:  # what cannot be written is said before
        result |= measure(animal, config, spec.kind, seconds, rounds)
        if peer:
            training = result["steps_per_second"]["training"]
            result["peers"] = [
                {**one, "training_over_peer": training / one["steps_per_second"]}
                for one in measure_peers(animal, config)
            ]
        if aside is not None:
            aside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        _print_table(result)


def _print_table(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{result['species']} stage {result['stage']}, {result['worlds']} worlds, {result['cores']} cores"
    table = Table("", "steps/s", "of physics", title=title)
    for name, rate in result["steps_per_second"].items():
        table.add_row(name, f"{rate:,.0f}", f"{result['share_of_physics'][name]:.2f}")
    for peer in result.get("peers", []):
        ratio = f"training is {peer['training_over_peer']:.1f}x"
        table.add_row(peer["name"], f"{peer['steps_per_second']:,.0f}", ratio)
    Console().print(table)
