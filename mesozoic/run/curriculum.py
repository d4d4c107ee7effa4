"""Runs the stages of a species one after the other, each from the policy of the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesozoic.files import write_bytes
from mesozoic.run.display import Reporter
from mesozoic.run.folder import StageFolder
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.machines.leader import Leader
from mesozoic.run.results_table import RESULTS_FILE, results_table
from mesozoic.run.sinks import OpenSink
from mesozoic.run.sinks.table import FILES
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.stop import Stops, TimeLimit, error_of, nobody
from mesozoic.run.train_stage import train_stage


def run_curriculum(
    stages: Sequence[StageSpec],
    run: Path,
    strict: bool = False,
    resume: bool = True,
    sinks: Mapping[str, OpenSink] = FILES,
    reporter: Reporter | None = None,
    limit: TimeLimit | None = None,
    leader: Leader | None = None,
) -> list[dict[str, Any]]:
    """Train the stages in `run`, and return what each `metrics.json` says.

    A stage whose budget ends first is recorded as not passed and the next one begins all the same, from
    its best policy; with `strict` the run ends there. Stages that are over are only reported, one that
    was cut off goes on from its checkpoint.

    Args:
        stages: in order, as `problems.resolve` made them; each begins from the policy of the one before.
        sinks, reporter, limit, leader: see `train_stage`; the limit holds for all stages together.

    Raises:
        UserError: files of another run lie there.
        Stopped: a signal came, or the time is over; a checkpoint was written.
    """
    results: list[dict[str, Any]] = []
    load = stages[0].load
    with Interrupts() as interrupts:
        stops = Stops(interrupts, limit, others=nobody if leader is None else leader.signalled)
        for stage in stages:
            if results and (stop := stops.now()) is not None:
                raise error_of(stop)
            result = train_stage(replace(stage, load=load), run, resume, sinks, reporter, limit, leader=leader)
            results.append(result)
            write_bytes(run / RESULTS_FILE, results_table(results).encode())
            if strict and not result["stage_passed"]:
                break
            folder = StageFolder(run, stage.config.stage.number)
            load = folder.final_policy if result["stage_passed"] else folder.best_policy
    return results
