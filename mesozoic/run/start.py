"""Starts a training of a specification: checks it, chooses its folder, trains. Command line, API and jobs do this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesozoic.learn.kinds import AUTO
from mesozoic.run.auto_physics import choose
from mesozoic.run.curriculum import run_curriculum
from mesozoic.run.display import Display, Reporter
from mesozoic.run.folder import choose_run_folder, start_of
from mesozoic.run.machines.leader import Leader
from mesozoic.run.problems import notes, resolve
from mesozoic.run.sinks import OpenSink
from mesozoic.run.sinks.table import FILES
from mesozoic.run.spec import RunSpec
from mesozoic.run.stop import TimeLimit, Watch
from mesozoic.run.train_stage import train_stage


def start(
    spec: RunSpec,
    run: Path | None = None,
    *,
    log_dir: Path | None = None,
    strict: bool = False,
    resume: bool = True,
    sinks: Mapping[str, OpenSink] | None = None,
    reporter: Reporter | None = None,
    limit: TimeLimit | None = None,
    watch: Watch | None = None,
    leader: Leader | None = None,
) -> list[dict[str, Any]]:
    """Check a specification and train what it says: one stage, or a curriculum.

    Args:
        run: the run folder; default: a new one in `log_dir`, and that is `runs` by default.
        sinks: where metrics go; default: the files of the run folder.
        limit: of time, for all stages together.
        watch: of one stage: is told of each evaluation, and may stop the training.
        leader: of the other machines that train with this one.

    Returns:
        What `metrics.json` says, of each stage.
    """
    if spec.stage is not None:
        spec = replace(spec, load=start_of(spec.load, run, spec.stage))
    stages = resolve(spec)
    reporter = reporter or Display()
    if spec.physics == AUTO:
        reporter.say(choose(spec, stages[0].kind).line)
    for note in notes(spec, stages):
        reporter.say(f"note: {note}")
    what = "curriculum" if spec.stage is None else f"stage{spec.stage}"
    folder = choose_run_folder(run, log_dir, f"{spec.species}-{what}")
    if spec.stage is None:
        return run_curriculum(stages, folder, strict, resume, sinks or FILES, reporter, limit, leader)
    return [train_stage(stages[0], folder, resume, sinks or FILES, reporter, limit, watch, leader)]
