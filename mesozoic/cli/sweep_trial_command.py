"""`mesozoic sweep trial`: one trial, by hand or for the engine that its environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.options import (
    Algorithm,
    Backend,
    EvalFreq,
    GpuIds,
    Objective,
    OutputDir,
    Physics,
    SaveFreq,
    SeedsPerTrial,
    StartPolicy,
    SweepSpecies,
    SweepStage,
    TrainArguments,
    TrainSeed,
    WandB,
    Worlds,
    whole_option,
)

if TYPE_CHECKING:
    from mesozoic.sweep.trial_record import TrialRecord


def trial(
    context: typer.Context,
    arguments: TrainArguments = None,
    species: SweepSpecies = None,
    stage: SweepStage = 1,
    timesteps: Annotated[int | None, whole_option("Budget in environment steps.")] = None,
    n_envs: Worlds = None,
    seed: TrainSeed = 0,
    seeds_per_trial: SeedsPerTrial = 1,
    objective: Objective = "score",
    backend: Backend = "auto",
    algorithm: Algorithm = "ppo",
    physics: Physics = "native",
    gpu_ids: GpuIds = "",
    eval_freq: EvalFreq = None,
    save_freq: SaveFreq = None,
    output_dir: OutputDir = None,
    load: StartPolicy = None,
    override: Annotated[list[str] | None, typer.Option(help="section.key=value that is not searched.")] = None,
    wandb: WandB = False,
) -> None:
    """Train one point of a search space: --ppo_learning_rate 1e-4, --ppo.learning_rate=1e-4 or ppo.learning_rate=1e-4.

    Every engine runs its trials with this command. Run it again to go on with a trial that was cut off.
    """
    import os

    from mesozoic.config import parse_overrides
    from mesozoic.job.on_vertex import on_vertex
    from mesozoic.run.folder import choose_run_folder
    from mesozoic.run.sinks.table import sinks_for
    from mesozoic.run.sinks.wandb_sink import WandbSink
    from mesozoic.run.spec import DEFAULT_SPECIES, RunSpec
    from mesozoic.run.words import sort_arguments, stage_flags
    from mesozoic.sweep.line import line_of
    from mesozoic.sweep.objective import known_objective
    from mesozoic.sweep.run_trial import Trial, run_trial
    from mesozoic.sweep.vertex_line import run_vertex_trial, vertex_line_of
    from mesozoic.sweep.wandb_line import wandb_line_of

    options = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    word, point = sort_arguments([*(arguments or []), *context.args], [], options, "sweep trial")
    flags = {"timesteps": timesteps, "n-envs": n_envs, "eval-freq": eval_freq, "save-freq": save_freq}
    spec = RunSpec(
        species=one_species(word, species) or DEFAULT_SPECIES,
        stage=stage,
        seed=seed,
        backend=backend,
        algorithm=algorithm,
        physics=physics,
        gpu_ids=gpu_ids,
        overrides=(*(override or []), *stage_flags(flags), *point),
        load=load,
    )
    searched = {one.path: one.value for one in parse_overrides(point)}
    wanted = Trial(spec, searched, known_objective(objective), seeds_per_trial)
    of_wandb = wandb_line_of(os.environ)
    of_vertex = vertex_line_of(os.environ, wanted.objective)
    if of_vertex is not None:
        os.environ.update(on_vertex(os.environ))  # its W&B key may lie in Secret Manager
    line = of_vertex or of_wandb or line_of(os.environ)
    if output_dir is not None and line.id:
        output_dir /= line.id
    folder = choose_run_folder(output_dir, None, f"trial-{spec.species}-stage{stage}")
    sinks = dict(sinks_for(wandb and of_wandb is None))
    if of_wandb is not None:
        sinks["W&B"] = of_wandb.sink(WandbSink)
    if of_vertex is None:
        typer.echo(_report(run_trial(wanted, folder, line, sinks), str(folder)))
        return
    record = run_vertex_trial(wanted, folder, of_vertex, sinks, lambda said: typer.echo(said, err=True))
    if record is not None:
        typer.echo(_report(record, str(folder)))


def one_species(word: str | None, option: str | None) -> str | None:
    """The species that was given, as a word or with `--species`.

    Raises:
        UserError: two different ones were.
    """
    from mesozoic.errors import UserError, shown

    if word is not None and option is not None and word != option:
        raise UserError(f"two species, '{shown(word)}' and --species '{shown(option)}'; give one")
    return word or option


def _report(record: TrialRecord, folder: str) -> str:
    steps = sum(one["timesteps"] for one in record.results)
    how = {
        "passed": f"passed its gate after {steps:,} steps",
        "budget": f"did not pass its gate in {steps:,} steps",
        "pruned": "was pruned",
    }[record.state]
    value = "none" if record.value is None else f"{record.value:.4f}"
    lower = "" if record.lower is None else f" (95 % lower bound over {record.seeds} seeds {record.lower:.4f})"
    return f"trial {how}; {record.objective} {value}{lower}\n  files {folder}"
