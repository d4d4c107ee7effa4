"""Trains one stage in a run folder: begins it, or goes on where it stopped."""

from __future__ import annotations

import json
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.curriculum.gate import Gate
from mesozoic.curriculum.loop import Progress, StageLoop
from mesozoic.errors import Interrupted, Problems, UserError
from mesozoic.evaluate.episodes import Summary, baselines, run_episodes
from mesozoic.files import write_json
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.run.checkpoint import checkpoints, load_state, read_manifest
from mesozoic.run.display import Display
from mesozoic.run.folder import StageFolder, save_policy
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.problems import stage_problems
from mesozoic.run.recorder import RunRecorder
from mesozoic.run.sinks import Sink
from mesozoic.run.sinks.csv_sink import CsvSink
from mesozoic.run.sinks.tensorboard_sink import TensorBoardSink
from mesozoic.run.sinks.wandb_sink import open_wandb
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.versions import cores, versions
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, get_species

BASELINES_KEY = "baselines"


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was found, and its manifest."""

    path: Path
    manifest: dict[str, Any]


def train_stage(spec: StageSpec, run: Path, resume: bool = True, wandb: bool = False) -> dict[str, Any]:
    """Train the stage of `spec` in `run`, and return what `metrics.json` says of it.

    A run folder that holds a checkpoint of the same configuration is continued, bit for bit; one
    that is finished is only reported.

    Raises:
        UserError: bad input, or files of another run; nothing was written.
        Interrupted: a signal came; a checkpoint was written.
    """
    folder = StageFolder(run, spec.config.stage.number)
    if wrong := stage_problems(spec):
        raise Problems(wrong)
    species = get_species(spec.species)
    warm_start = None if spec.load is None else load_policy(spec.load)
    saved = None
    if resume:
        finished = _finished(folder, spec)
        if finished is not None:
            return finished
        saved = _find_checkpoint(folder, spec)
    else:
        aside = folder.set_aside()
        if aside is not None:
            Display("", 1).say(f"the earlier run is kept as {aside}")
    folder.create()
    record = {"identity": spec.to_json(), "versions": versions(), "cores": cores()}
    with folder.locked(), Interrupts() as interrupts:
        write_json(folder.config, {**record, "config": spec.config.model_dump(mode="json")})
        return _train(spec, folder, species, warm_start, saved, record, interrupts, wandb)


def _train(
    spec: StageSpec,
    folder: StageFolder,
    species: Species,
    warm_start: Policy | None,
    saved: Saved | None,
    record: dict[str, Any],
    interrupts: Interrupts,
    wandb: bool,
) -> dict[str, Any]:
    config, seed = spec.config, spec.seed
    learner = spec.kind.make(species, config, seed, warm_start)
    start = 0
    state: dict[str, Any] = {}
    if saved is not None:
        state = load_state(saved.path)
        learner.set_state(state["learner"])
        start = learner.step
    plan = config.curriculum
    title = f"{spec.species} stage {config.stage.number} {config.stage.name}"
    with Display(title, plan.timesteps, start) as display:
        display.say(f"{title}: {plan.timesteps:,} steps at most, {config.stage.n_envs} worlds, seed {seed}")
        display.say(f"files: {folder.path}")
        if saved is not None:
            _say_resumed(display, saved, start)
        figures: dict[str, Summary] = state.get(BASELINES_KEY) or baselines(species, config, seed, Stream.GATE)
        for name, summary in figures.items():
            display.say(f"{name}: success {summary['success']:.2f}  reward {summary['avg_reward']:.1f}")
        sinks = _open_sinks(folder, title, record["identity"], start, wandb, display)
        recorder = RunRecorder(
            folder,
            sinks,
            display,
            interrupts,
            state=lambda: {"learner": learner.state(), BASELINES_KEY: figures},
            manifest=record,
        )
        progress = None
        if saved is not None:
            recorder.set_state(state["recorder"], start)
            progress = Progress(**state["progress"])
            progress.next_save = (start // plan.save_freq + 1) * plan.save_freq

        def evaluate(policy: Policy) -> Summary:
            return run_episodes(policy.act, species, config, seed, Stream.GATE).summary()

        loop = StageLoop(learner, evaluate, Gate(plan, figures["statue"]), plan, recorder, progress)
        try:
            done = loop.run()
            if not done and interrupts.received is not None:
                display.say(f"checkpoint at {learner.step:,} steps in {folder.checkpoints}; run again to go on")
                raise Interrupted(interrupts.received)
            save_policy(folder.final_policy, learner.policy())
            recorder.phase("finished")
            result = _result(spec, folder, record, learner.step, loop.progress, recorder, figures)
            write_json(folder.metrics, result)
            return result
        finally:
            for sink in sinks:
                sink.close()


def _result(
    spec: StageSpec,
    folder: StageFolder,
    record: dict[str, Any],
    step: int,
    progress: Progress,
    recorder: RunRecorder,
    figures: dict[str, Summary],
) -> dict[str, Any]:
    return {
        "species": spec.species,
        "stage": spec.config.stage.number,
        "stage_name": spec.config.stage.name,
        "stage_passed": progress.passed,
        "timesteps": step,
        "seed": spec.seed,
        "score": progress.summary["score"],
        "best_score": progress.best_score,
        "best_step": progress.best_step,
        "best_mean_reward": progress.best_mean_reward,
        "best_mean_episode_length": progress.best_mean_episode_length,
        "evaluations": progress.evaluations,
        "evaluation": progress.summary,
        "gate": progress.verdict,
        "baselines": figures,
        "wall_seconds": round(sum(recorder.seconds.values()), 1),
        "seconds": {name: round(value, 1) for name, value in recorder.seconds.items()},
        "steps_per_second": round(recorder.steps_per_second, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "final_policy": str(folder.final_policy),
        "best_policy": str(folder.best_policy),
        **record,
    }


def _finished(folder: StageFolder, spec: StageSpec) -> dict[str, Any] | None:
    """The result of a run of this spec that is already over."""
    if not (folder.metrics.exists() and folder.final_policy.exists()):
        return None
    try:
        result: dict[str, Any] = json.loads(folder.metrics.read_text(encoding="utf-8"))
        other = dict(result["identity"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder.metrics} is damaged ({error}); remove it or start over with --no-resume") from None
    spec.check(other, folder.path)
    return result


def _find_checkpoint(folder: StageFolder, spec: StageSpec) -> Saved | None:
    found = checkpoints(folder.checkpoints)
    if not found:
        return None
    manifest = read_manifest(found[-1])
    spec.check(manifest["identity"], folder.path)
    return Saved(found[-1], manifest)


def _say_resumed(display: Display, saved: Saved, step: int) -> None:
    display.say(f"going on from the checkpoint at {step:,} steps")
    before, now = saved.manifest.get("cores"), cores()
    if before != now:
        display.say(f"note: begun on {before} cores, now {now}: the result may differ in the last bits")
    old, new = saved.manifest.get("versions", {}), versions()
    changed = [f"{name} {old.get(name)} -> {new[name]}" for name in new if old.get(name) != new[name]]
    if changed:
        display.say(f"note: versions changed ({', '.join(changed)}): the result may differ in the last bits")


def _open_sinks(
    folder: StageFolder, title: str, config: dict[str, Any], step: int, wandb: bool, display: Display
) -> list[Sink]:
    sinks: list[Sink] = [
        CsvSink(folder.path / "training.csv", step),
        TensorBoardSink(folder.path / "tensorboard", step),
    ]
    if wandb:
        sink = open_wandb(folder.path, title, config, lambda line: display.say(f"warning: {line}"))
        if sink is not None:
            sinks.append(sink)
    return sinks
