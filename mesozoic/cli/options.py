"""Arguments and options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def whole_option(text: str) -> Any:
    """An option for a whole number, which may be written `1e6`; `text` is its help."""

    def read(value: str | int) -> int:
        from mesozoic.run.words import whole_number

        try:
            return whole_number(str(value))
        except (ValueError, OverflowError):
            raise typer.BadParameter(f"'{value}' is not a whole number") from None

    return typer.Option(parser=read, metavar="INTEGER", help=text)


def path_option(text: str, *names: str) -> Any:
    """An option for a file or folder, in which `~` is the home folder; `text` is its help.

    Args:
        names: what it is called; default: as its argument.
    """
    return typer.Option(*names, parser=read_path, metavar="PATH", help=text)


def read_path(value: str | Path) -> Path:
    """As `mesozoic.run.words.read_path`, which is loaded when there is a path to read."""
    from mesozoic.run.words import read_path

    return read_path(value)


PolicyArgument = Annotated[
    Path,
    typer.Argument(
        parser=read_path, help="Policy file, run folder, or a species whose policy ships.", metavar="POLICY"
    ),
]
PolicyStage = Annotated[int | None, typer.Option(help="Which stage's policy; default: the last one.")]
PolicySpecies = Annotated[str | None, typer.Option(help="Refuse a policy of any other species.")]
StageOverride = Annotated[list[str] | None, typer.Option(help="section.key=value of the stage.")]

HtmlPage = Annotated[Path | None, path_option("Write a page (.html) that replays it in any browser.", "--html")]
Ghosts = Annotated[
    list[Path] | None,
    typer.Option(parser=read_path, metavar="POLICY", help="With --html: another policy in the same episodes."),
]

StageWords = Annotated[
    list[str] | None, typer.Argument(metavar="[section.key=value]...", help="As --override.", show_default=False)
]

TrainArguments = Annotated[
    list[str] | None, typer.Argument(metavar="[SPECIES=velociraptor] [section.key=value]...", show_default=False)
]
Worlds = Annotated[int | None, whole_option("Worlds simulated side by side.")]
TrainSeed = Annotated[int, whole_option("Decides everything random.")]
Backend = Annotated[str, typer.Option(help="auto, jax or sb3 (Stable-Baselines3, extra [sb3]).")]
Algorithm = Annotated[str, typer.Option(help="ppo; sb3 also has sac.")]
Physics = Annotated[
    str, typer.Option(help="native (processor), mjx-warp (GPU, extra [cuda]), mjx-jax (extra [mjx]) or auto.")
]
GpuIds = Annotated[
    str, typer.Option(help="Devices for mjx-warp and mjx-jax: all, or numbers such as 0,1; default: the first one.")
]
Subproc = Annotated[bool, typer.Option("--subproc", help="Accepted, not needed: all worlds run in one process.")]
EvalFreq = Annotated[int | None, whole_option("Environment steps between evaluations.")]
SaveFreq = Annotated[int | None, whole_option("Environment steps between checkpoints.")]
OutputDir = Annotated[Path | None, path_option("Run folder; wins over --log-dir.")]
LogDir = Annotated[Path | None, path_option("Where a run folder named by the time is made.")]
WandB = Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases as well.")]

StartPolicy = Annotated[Path | None, path_option("Policy file or run folder to start from.")]
SweepSpecies = Annotated[str | None, typer.Option(help="velociraptor, trex, brachiosaurus or your own.")]
SweepStage = Annotated[int, typer.Option(help="1 balance, 2 locomotion, 3 behaviour, or what the animal has.")]
Sampler = Annotated[str | None, typer.Option(help="tpe (learns from earlier trials), random or grid.")]
Pruner = Annotated[str | None, typer.Option(help="asha, hyperband, median or none: ends the worst trials early.")]
SearchSpace = Annotated[str | None, typer.Option(help="The JSON itself.")]
SweepBackend = Annotated[str | None, typer.Option(help="auto, jax or sb3.")]
SweepAlgorithm = Annotated[str | None, typer.Option(help="ppo; sb3 also has sac.")]
SweepPhysics = Annotated[str | None, typer.Option(help="native, mjx-warp, mjx-jax or auto.")]
SweepOverrides = Annotated[list[str] | None, typer.Option(help="section.key=value for every trial.")]
MaxFailures = Annotated[int, typer.Option(help="In a row, after which a worker is taken out.", min=1)]
SeedsPerTrial = Annotated[int, typer.Option(help="Trainings by whose mean each point is judged.", min=1, max=10)]
Objective = Annotated[
    str, typer.Option(help="score (of the task, does not depend on reward weights) or best_mean_reward.")
]


def explain_subproc(subproc: bool) -> None:
    """Say why nothing changes, on standard error, where somebody asked for `SubprocVecEnv`."""
    if subproc:
        print(
            "note: --subproc changes nothing: the worlds are stepped side by side by threads of one process,"
            " which `mesozoic bench --peer` measures against SubprocVecEnv",
            file=sys.stderr,
        )


def refuse_ghosts(ghosts: list[Path] | None, html: Path | None) -> None:
    """Refuse ghosts where there is no page that could show them.

    Raises:
        UserError: there are some.
    """
    if ghosts and html is None:
        from mesozoic.errors import UserError

        raise UserError("--ghost is for a page; give --html FILE as well")
