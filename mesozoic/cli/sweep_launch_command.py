"""`mesozoic sweep launch`: search one stage, on this machine and on others that share its storage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mesozoic.cli.cloud_options import Spot, Yes
from mesozoic.cli.options import (
    EvalFreq,
    MaxFailures,
    Objective,
    OutputDir,
    Pruner,
    Sampler,
    SearchSpace,
    SeedsPerTrial,
    StartPolicy,
    SweepAlgorithm,
    SweepBackend,
    SweepOverrides,
    SweepPhysics,
    SweepSpecies,
    TrainArguments,
    TrainSeed,
    Worlds,
    path_option,
    whole_option,
)
from mesozoic.cli.sweep_vertex import (
    EngineOption,
    MaxFailed,
    StuckAfter,
    VertexCost,
    VertexHourly,
    VertexOptions,
    VertexWandb,
)
from mesozoic.cli.vertex_options import (
    DELAYS,
    AcceleratorOption,
    Bucket,
    Image,
    Label,
    MachineType,
    Project,
    Region,
    RetryAfter,
    ServiceAccount,
    Timeout,
    WandbSecret,
)


def launch(
    context: typer.Context,
    arguments: TrainArguments = None,
    engine: EngineOption = "local",
    species: SweepSpecies = None,
    stage: Annotated[int | None, typer.Option(help="1 balance, 2 locomotion, 3 behaviour; default 1.")] = None,
    search_space_file: Annotated[
        Path | None, path_option("JSON, or a W&B sweep file; default: configs/sweep_ppo.json or sweep_sac.json.")
    ] = None,
    search_space: SearchSpace = None,
    trials: Annotated[int | None, whole_option("Points that are tried.")] = None,
    timesteps: Annotated[int | None, whole_option("Budget of each training in environment steps.")] = None,
    n_envs: Worlds = None,
    eval_freq: EvalFreq = None,
    parallel: Annotated[str, typer.Option(help="Trials side by side; auto: one per GPU, else per two cores.")] = "auto",
    sampler: Sampler = None,
    pruner: Pruner = None,
    objective: Objective = "score",
    seeds_per_trial: SeedsPerTrial = 1,
    seed: TrainSeed = 0,
    backend: SweepBackend = None,
    algorithm: SweepAlgorithm = None,
    physics: SweepPhysics = None,
    load: StartPolicy = None,
    override: SweepOverrides = None,
    output_dir: OutputDir = None,
    storage: Annotated[
        str | None, typer.Option(help="Database for many machines (postgresql://...), or a journal file.")
    ] = None,
    study_name: Annotated[str | None, typer.Option(help="In the storage; default: made of what is searched.")] = None,
    max_failures: MaxFailures = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show, start nothing.")] = False,
    bucket: Bucket = None,
    project: Project = None,
    region: Region = None,
    image: Image = None,
    machine_type: MachineType = None,
    accelerator: AcceleratorOption = None,
    spot: Spot = False,
    service_account: ServiceAccount = None,
    timeout: Timeout = None,
    label: Label = None,
    wandb: VertexWandb = False,
    wandb_secret: WandbSecret = None,
    max_failed: MaxFailed = None,
    stuck_after: StuckAfter = 60.0,
    retry_after: RetryAfter = DELAYS,
    max_hourly_cost: VertexHourly = None,
    max_cost: VertexCost = None,
    yes: Yes = False,
) -> None:
    """Search hyperparameters of one stage. Run the same command again to go on with a search that was cut off."""
    from mesozoic.cli.sweep_request import known_engine, need_optuna, sweep_request
    from mesozoic.cli.sweep_trial_command import one_species
    from mesozoic.cli.sweep_vertex import launch_on_vertex, refuse_limits
    from mesozoic.run.words import sort_arguments
    from mesozoic.sweep.plan import plan_sweep

    refuse_limits(known_engine(engine), max_hourly_cost, max_cost)
    options = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    word, more = sort_arguments([*(arguments or []), *context.args], override or [], options, "sweep launch")
    plan = plan_sweep(sweep_request(context.params, one_species(word, species), stage, more))
    if engine == "vertex":
        launch_on_vertex(VertexOptions.of(context.params), plan, dry_run, yes)
        return

    from mesozoic.sweep.engines.board import Board, best_of, described
    from mesozoic.sweep.engines.local import refuse_incomplete, run_local
    from mesozoic.sweep.engines.wandb import wandb_config
    from mesozoic.sweep.sweep_folder import SweepFolder, new_sweep_folder

    title = f"{plan.spec.species} stage {plan.stage}"
    board = Board(title, plan.budget * plan.seeds)
    names = ", ".join(one.path for one in plan.parameters)
    board.say(
        f"{title}: {plan.trials} trials of {plan.budget:,} steps ({plan.method}, pruner {plan.pruner}) over {names}"
    )
    for note in plan.notes:
        board.say(note)
    config = wandb_config(plan) if engine == "wandb" else {}
    if engine == "local":
        need_optuna(dry_run)
    if dry_run:
        board.say("dry run: nothing was started")
        return
    if config:
        _create_on_wandb(config)
        return
    folder = SweepFolder(output_dir or new_sweep_folder(plan.spec.species, plan.stage))
    folder.begin(plan.stage, plan.identity())
    result = run_local(plan, folder, storage, study_name, max_failures, board)
    refuse_incomplete(result, folder.path)
    best = best_of(result.rows)
    counts = {row.state: sum(one.state == row.state for one in result.rows) for row in result.rows}
    typer.echo(f"{title}: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    if best is not None:
        typer.echo(f"best: trial {best.id}, {plan.objective} {best.value:.4f}: {described(best.point)}")
        typer.echo(f"  files {folder.trials(plan.stage) / best.id}")


def _create_on_wandb(config: dict[str, Any]) -> None:
    """Create a sweep on W&B and say how to work on it."""
    from mesozoic.errors import UserError
    from mesozoic.sweep.wandb_account import project_and_entity, wandb_key
    from mesozoic.sweep.wandb_sweep import create_sweep

    key = wandb_key()
    if key is None:
        raise UserError("a sweep of W&B needs a key; type 'wandb login', or give --engine local")
    sweep = create_sweep(config, key, *project_and_entity())
    typer.echo(f"sweep {sweep.path} created: {sweep.url}")
    typer.echo(f"work on it, here or on any machine: mesozoic sweep agent {sweep.path}")
