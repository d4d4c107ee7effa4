"""`mesozoic sweep launch-all`: sweep the stages of an animal one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

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
    SweepBucket,
    VertexCost,
    VertexHourly,
    VertexOptions,
    VertexWandb,
)
from mesozoic.cli.vertex_options import (
    DELAYS,
    AcceleratorOption,
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

PER_STAGE = re.compile(r"--(trials|timesteps|parallel)-stage([1-9][0-9]?)(?:=(.*))?")


def launch_all(
    context: typer.Context,
    arguments: TrainArguments = None,
    engine: EngineOption = "local",
    species: SweepSpecies = None,
    search_space_file: Annotated[Path | None, path_option("JSON with blocks stage1, stage2, ...")] = None,
    search_space: SearchSpace = None,
    trials: Annotated[int | None, whole_option("Of each stage; --trials-stageN for one.")] = None,
    timesteps: Annotated[int | None, whole_option("Budget of a training; --timesteps-stageN for one stage.")] = None,
    n_envs: Worlds = None,
    eval_freq: EvalFreq = None,
    parallel: Annotated[str, typer.Option(help="Trials side by side, or auto; --parallel-stageN for one.")] = "auto",
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
    bucket: SweepBucket = None,
    storage: Annotated[str | None, typer.Option(help="As of 'sweep launch'.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on where an earlier call stopped; else that is set aside.")] = True,
    max_failures: MaxFailures = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all stages, start nothing.")] = False,
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
    """Sweep stage 1, then 2 from its winner's policy, then 3. Run the same command again to go on."""
    from mesozoic.cli.sweep_request import known_engine, need_optuna, sweep_request
    from mesozoic.cli.sweep_trial_command import one_species
    from mesozoic.cli.sweep_vertex import launch_all_on_vertex, refuse_limits
    from mesozoic.run.spec import DEFAULT_SPECIES
    from mesozoic.run.words import sort_arguments
    from mesozoic.sweep.chain import stages_of

    refuse_limits(known_engine(engine), max_hourly_cost, max_cost)
    options = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    tokens, own = per_stage([*(arguments or []), *context.args])
    word, more = sort_arguments(tokens, override or [], options, "sweep launch-all")
    animal = one_species(word, species) or DEFAULT_SPECIES
    requests = {
        stage: sweep_request(
            context.params, animal, stage, more, **{name: value for (name, at), value in own.items() if at == stage}
        )
        for stage in stages_of(animal)
    }
    unknown(own, list(requests), animal)
    if engine == "vertex":
        launch_all_on_vertex(VertexOptions.of(context.params), requests, output_dir, resume, dry_run, yes)
        return

    from mesozoic.files.remote import Remote, as_url
    from mesozoic.sweep.chain import final_command, plans_of, run_chain, set_aside
    from mesozoic.sweep.chain_state import FILE, ChainState
    from mesozoic.sweep.engines.stages import LocalStages, WandbStages
    from mesozoic.sweep.engines.wandb import wandb_config
    from mesozoic.sweep.sweep_folder import SweepFolder, new_sweep_folder

    def say(line: str) -> None:
        typer.echo(line, err=True)

    plans = plans_of(requests)
    remote = None if bucket is None else Remote(f"{as_url(bucket)}/sweeps/{animal}")
    if engine == "wandb":
        for plan in plans.values():
            wandb_config(plan)
    else:
        need_optuna(dry_run)
    if dry_run:
        typer.echo(f"{animal}, stages {', '.join(map(str, requests))}: all can be swept; dry run: nothing was started")
        return
    path = output_dir or new_sweep_folder(animal)
    folder = SweepFolder(path)
    stages = (
        WandbStages(folder, remote, max_failures)
        if engine == "wandb"
        else LocalStages(folder, remote, max_failures, storage)
    )
    if not resume and (aside := set_aside(path)) is not None:
        say(f"the earlier sweep is kept as {aside}")
    state = ChainState(path / FILE, remote, say, fresh=not resume)
    winners = run_chain(requests, stages, state, say)
    for winner in winners:
        typer.echo(f"stage {winner.stage}: trial {winner.trial} {winner.state}, {objective} {winner.value:.4f}")
        typer.echo(f"  policy {path / winner.policy}")
    typer.echo(f"\n{final_command(plans[winners[0].stage].spec, winners)}")


def per_stage(tokens: Sequence[str]) -> tuple[list[str], dict[tuple[str, int], int]]:
    """The tokens without those like `--trials-stage2 10`, and what these say.

    Raises:
        UserError: one has no whole number.
    """
    from mesozoic.errors import UserError, shown
    from mesozoic.run.words import whole_number

    left, others = list(tokens), []
    found: dict[tuple[str, int], int] = {}
    while left:
        token = left.pop(0)
        match = PER_STAGE.fullmatch(token)
        if match is None:
            others.append(token)
            continue
        text = match[3] if match[3] is not None else left.pop(0) if left else ""
        try:
            value = whole_number(text)
            if value < 1:
                raise ValueError
        except (ValueError, OverflowError):
            name = token.partition("=")[0]
            raise UserError(f"{name} '{shown(text)}' is no whole number above 0; give for example {name} 10") from None
        found[match[1], int(match[2])] = value
    return others, found


def unknown(own: dict[tuple[str, int], int], stages: Sequence[int], species: str) -> None:
    """Refuse options for stages that the animal does not have.

    Raises:
        UserError: naming the first.
    """
    from mesozoic.errors import UserError

    there = ", ".join(map(str, stages))
    for name, stage in own:
        if stage not in stages:
            raise UserError(f"--{name}-stage{stage}: {species} has no stage {stage}; it has {there}")
