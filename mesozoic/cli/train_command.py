"""`mesozoic train`: train one stage."""

from __future__ import annotations

import json
import time
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
    path_option,
    whole_option,
)


def train(
    context: typer.Context,
    arguments: TrainArguments = None,
    stage: Annotated[int, typer.Option(help="1 balance, 2 locomotion, 3 behaviour, or what the animal has.")] = 1,
    timesteps: Annotated[int | None, whole_option("Budget in environment steps.")] = None,
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
    load: Annotated[Path | None, path_option("Policy file or run folder to start from.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the run folder's checkpoint, if it holds one.")] = True,
    override: Annotated[list[str] | None, typer.Option(help="section.key=value; several may follow.")] = None,
    wandb: WandB = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train one stage until its gate passes or its budget ends.

    Run the same command again to continue a run that was stopped or killed.
    """
    from mesozoic.cli.arguments import typed_spec

    flags = {"timesteps": timesteps, "n-envs": n_envs, "eval-freq": eval_freq, "save-freq": save_freq}
    wanted = typed_spec(
        context,
        arguments,
        override,
        flags,
        stage=stage,
        seed=seed,
        backend=backend,
        algorithm=algorithm,
        physics=physics,
        gpu_ids=gpu_ids,
        load=load,
    )
    explain_subproc(subproc)

    from mesozoic.run.sinks.table import sinks_for
    from mesozoic.run.start import start

    began = time.monotonic()
    (result,) = start(wanted, output_dir, log_dir=log_dir, resume=resume, sinks=sinks_for(wandb))
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        typer.echo(_report(result, time.monotonic() - began))


def _report(result: dict[str, Any], seconds: float) -> str:
    """A few lines for a person."""
    figures, others = result["evaluation"], result["baselines"]
    solved = "passed its gate" if result["stage_passed"] else "did NOT pass its gate"
    lines = [
        f"{result['species']} stage {result['stage']} ({result['stage_name']}) {solved}"
        f" after {result['timesteps']:,} steps, {result['wall_seconds']:.0f} s"
        f" ({result['steps_per_second']:,.0f} steps/s; this call {seconds:.0f} s)",
        f"  success {figures['success']:.3f} (95 % {figures['success_low']:.3f} to {figures['success_high']:.3f}),"
        f" statue {others['statue']['success']:.3f}, random {others['random']['success']:.3f}",
    ]
    if not result["stage_passed"]:
        lines += [
            f"  not met: {c['name']} = {c['value']:.4g}, needs {c['threshold']:.4g}"
            for c in result["gate"]
            if not c["passed"]
        ]
    lines.append(f"  policy {result['final_policy']}")
    return "\n".join(lines)
