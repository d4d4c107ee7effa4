"""The Python API: what the command line does, as functions. Each raises `UserError` for what a user can mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesozoic.config import as_overrides
from mesozoic.learn.policy import Policy
from mesozoic.run.display import Reporter
from mesozoic.run.evaluation import Evaluation, evaluate_policy
from mesozoic.run.policy_source import read_policy
from mesozoic.run.rendering import Rendering, render_policy
from mesozoic.run.sinks.callback_sink import OnMetrics
from mesozoic.run.sinks.table import sinks_for
from mesozoic.run.spec import DEFAULT_SPECIES, RunSpec
from mesozoic.run.start import start
from mesozoic.run.words import read_path, stage_flags

PathLike = str | Path


def train(
    species: str = DEFAULT_SPECIES,
    stage: int = 1,
    n_envs: int | None = None,
    timesteps: int | None = None,
    seed: int = 0,
    backend: str = "auto",
    algorithm: str = "ppo",
    physics: str = "native",
    gpu_ids: str = "",
    overrides: str | Sequence[str] = (),
    load: PathLike | None = None,
    checkpoint_dir: PathLike | None = None,
    resume: bool = True,
    wandb_project: str | None = None,
    on_metrics: OnMetrics | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Train one stage until its gate passes or its budget ends. The same call goes on with a run that was stopped.

    Args:
        n_envs: worlds side by side; timesteps: budget in environment steps; default of both: the stage file's.
        backend, algorithm: the learner; physics: the engine. `auto` is the best one here.
        gpu_ids: devices for the engines `mjx-warp` and `mjx-jax`: `all`, or numbers such as "0,1"; default: the first.
        overrides: keys of the stage, for example `["ppo.learning_rate=1e-4"]`, or one text.
        load: policy file or run folder to begin from.
        checkpoint_dir: the run folder; default: a new one, `runs/<species>-stage<N>-<time>`.
        resume: go on with what the folder holds; else set that aside.
        wandb_project: project to log to on Weights & Biases; None: do not.
        on_metrics: called with the step and the metrics by name, in another thread; returning False stops the training.
        reporter: tells how it goes; default: on standard error, `mesozoic.run.display.Quiet()` for nothing.

    Returns:
        What `metrics.json` in the run folder says: `stage_passed`, `score`, `evaluation`, `final_policy`, ...

    Raises:
        UserError: bad input, a sentence for each mistake; nothing was written.
        Stopped: a signal came, or `on_metrics` returned False; a checkpoint was written.
    """
    asked = RunSpec(species, stage, None, seed, backend, algorithm, physics, gpu_ids, load=_path(load))
    flags = stage_flags({"timesteps": timesteps, "n-envs": n_envs})
    return _start(asked, overrides, flags, checkpoint_dir, False, resume, wandb_project, on_metrics, reporter)[0]


def curriculum(
    species: str = DEFAULT_SPECIES,
    target: int | None = None,
    n_envs: int | None = None,
    timesteps: int | None = None,
    seed: int = 0,
    backend: str = "auto",
    algorithm: str = "ppo",
    physics: str = "native",
    gpu_ids: str = "",
    overrides: str | Sequence[str] = (),
    load: PathLike | None = None,
    checkpoint_dir: PathLike | None = None,
    strict: bool = False,
    resume: bool = True,
    wandb_project: str | None = None,
    on_metrics: OnMetrics | None = None,
    reporter: Reporter | None = None,
) -> list[dict[str, Any]]:
    """Train all stages, or those up to `target`, each from the policy of the one before.

    Args:
        timesteps: budget of each stage. overrides: `2.ppo.gamma=0.99` is for one stage.
        strict: end at a stage that does not pass its gate.
        The others are those of `train`.

    Returns:
        What `train` returns, for each stage.
    """
    asked = RunSpec(species, None, target, seed, backend, algorithm, physics, gpu_ids, load=_path(load))
    flags = stage_flags({"timesteps": timesteps, "n-envs": n_envs})
    return _start(asked, overrides, flags, checkpoint_dir, strict, resume, wandb_project, on_metrics, reporter)


def evaluate(
    policy: PathLike,
    stage: int | None = None,
    species: str | None = None,
    episodes: int | None = None,
    seed: int = 0,
    overrides: str | Sequence[str] = (),
) -> Evaluation:
    """Evaluate a policy on episodes that training never sees, all at once, beside a statue and random actions.

    Args:
        policy: a policy file, a run folder, or a species whose policy ships; stage: which stage's, default: the last.
        species: refuse a policy of any other one.
        episodes: how many; default: as many as the gate wants. seed: which ones.
        overrides: keys of the stage.
    """
    return evaluate_policy(read_path(policy), stage, species, episodes, seed, as_overrides(overrides))


def render(
    policy: PathLike,
    stage: int | None = None,
    species: str | None = None,
    output: PathLike | None = None,
    strip: PathLike | None = None,
    seed: int = 0,
    episode: int = 0,
    statue: bool = False,
    video: bool = True,
    overrides: str | Sequence[str] = (),
) -> Rendering:
    """Draw one unseen episode: a video in real time and a picture strip, with pushes and prey.

    Args:
        policy, stage, species, overrides: as in `evaluate`.
        output: video file (.mp4); strip: picture strip (.png); default: beside the policy, or here if it ships.
        seed, episode: which one, as in `evaluate`.
        statue: show the zero action instead, for comparison.
        video: False draws the strip alone.

    Returns:
        Where the files are, and what happened.
    """
    return render_policy(
        read_path(policy),
        stage,
        species,
        output=_path(output),
        strip=_path(strip),
        seed=seed,
        episode=episode,
        statue=statue,
        video=video,
        overrides=as_overrides(overrides),
    )


def load_policy(policy: PathLike, stage: int | None = None) -> Policy:
    """A policy: `load_policy(...).act(observations [n, nobs])` are its actions [n, nu] in [-1, 1], with NumPy alone.

    Args:
        policy: a policy file, a run folder, or a species whose policy ships; stage: which stage's, default: the last.
    """
    return read_policy(read_path(policy), stage)


def _start(
    asked: RunSpec,
    overrides: str | Sequence[str],
    flags: Sequence[str],
    run: PathLike | None,
    strict: bool,
    resume: bool,
    wandb_project: str | None,
    on_metrics: OnMetrics | None,
    reporter: Reporter | None,
) -> list[dict[str, Any]]:
    """Train what was asked for with these overrides; `flags` are overrides of arguments of their own, and win."""
    spec = replace(asked, overrides=(*as_overrides(overrides), *flags))
    sinks = sinks_for(wandb_project is not None, wandb_project, on_metrics)
    return start(spec, _path(run), strict=strict, resume=resume, sinks=sinks, reporter=reporter)


def _path(given: PathLike | None) -> Path | None:
    return None if given is None else read_path(given)
