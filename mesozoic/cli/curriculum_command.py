"""`mesozoic curriculum`: all stages of a species in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mesozoic.cli.options import (
    Algorithm,
    Backend,
    EvalFreq,
    GpuIds,
    LogDir,
    OutputDir,
    Physics,
    SaveFreq,
    Subproc,
    TrainArguments,
    TrainSeed,
    WandB,
    Worlds,
    explain_subproc,
    whole_option,
)


def curriculum(
    context: typer.Context,
    arguments: TrainArguments = None,
    target: Annotated[int | None, typer.Option(help="Last stage; default: all.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a stage that is not passed; exit with 1.")] = False,
    timesteps: Annotated[int | None, whole_option("Budget of each stage in environment steps.")] = None,
    n_envs: Worlds = None,
    seed: TrainSeed = 0,
    backend: Backend = "auto",
    algorithm: Algorithm = "ppo",
    physics: Physics = "native",
    gpu_ids: GpuIds = "",
    subproc: Subproc = False,
    eval_freq: EvalFreq = None,
    save_freq: SaveFreq = None,
    output_dir: OutputDir = None,
    log_dir: LogDir = None,
    resume: Annotated[bool, typer.Option(help="Go on where the run folder's files stop.")] = True,
    override: Annotated[
        list[str] | None,
        typer.Option(help="section.key=value, or 2.section.key=value for one stage; several may follow."),
    ] = None,
    wandb: WandB = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train balance, then walking, then the behaviour, each stage from the policy of the one before.

    Run the same command again to continue a run that was stopped or killed.
    """
    from mesozoic.cli.arguments import typed_spec

    flags = {"timesteps": timesteps, "n-envs": n_envs, "eval-freq": eval_freq, "save-freq": save_freq}
    wanted = typed_spec(
        context,
        arguments,
        override,
        flags,
        target=target,
        seed=seed,
        backend=backend,
        algorithm=algorithm,
        physics=physics,
        gpu_ids=gpu_ids,
    )
    explain_subproc(subproc)

    from mesozoic.run.results_table import RESULTS_FILE
    from mesozoic.run.sinks.table import sinks_for
    from mesozoic.run.start import start

    results = start(wanted, output_dir, log_dir=log_dir, strict=strict, resume=resume, sinks=sinks_for(wandb))
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        _print_table(wanted.species, results)
        typer.echo(f"results {Path(results[0]['final_policy']).parents[2] / RESULTS_FILE}")
    if strict and not all(result["stage_passed"] for result in results):
        raise typer.Exit(1)


def _print_table(species: str, results: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = ("stage", "", "gate", "steps", "time", "success", "95 % bounds", "statue", "random", "policy")
    table = Table(*columns, title=f"{species}: curriculum, seed {results[0]['seed']}")
    for result in results:
        figures, others = result["evaluation"], result["baselines"]
        minutes, seconds = divmod(round(result["wall_seconds"]), 60)
        table.add_row(
            str(result["stage"]),
            result["stage_name"],
            "passed" if result["stage_passed"] else "NOT passed",
            f"{result['timesteps']:,}",
            f"{minutes}:{seconds:02d}",
            f"{figures['success']:.3f}",
            f"{figures['success_low']:.3f} to {figures['success_high']:.3f}",
            f"{others['statue']['success']:.3f}",
            f"{others['random']['success']:.3f}",
            result["final_policy"],
        )
    Console(width=None if Console().is_terminal else 180).print(table)
