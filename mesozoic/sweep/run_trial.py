"""Runs one trial in this process: trains the point with each of its seeds, reports, and writes down how it ended.

The same for every engine. A trial that was cut off goes on from its checkpoint, bit for bit, when it is run again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from mesozoic.errors import Interrupted, Stopped, UserError, ending_of, plain, shown
from mesozoic.evaluation.episodes import Summary
from mesozoic.redact import redact
from mesozoic.run.display import Reporter
from mesozoic.run.problems import resolve
from mesozoic.run.sinks import OpenSink
from mesozoic.run.spec import RunSpec
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.start import start
from mesozoic.sweep.handed_on import hand_on
from mesozoic.sweep.line import Line
from mesozoic.sweep.objective import MOST_SEEDS, Objective, evaluation_value, lower_bound, solved_value
from mesozoic.sweep.space import Point
from mesozoic.sweep.trial_lock import alone_in
from mesozoic.sweep.trial_record import OVER, TrialRecord, read_trial


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Attributes:
        spec: the training of one stage, with the point in its overrides; its seed is the first one.
        point: what of it was searched, for the record.
    """

    spec: RunSpec
    point: Point
    objective: Objective = "score"
    seeds: int = 1

    def record(self, line: Line) -> TrialRecord:
        """An empty record."""
        return TrialRecord(line.id, line.engine, dict(self.point), self.spec.to_json(), self.objective, self.seeds)


def run_trial(
    trial: Trial,
    folder: Path,
    line: Line,
    sinks: Mapping[str, OpenSink] | None = None,
    reporter: Reporter | None = None,
) -> TrialRecord:
    """Run a trial in `folder`, or go on with it; one that is over only reports its value again.

    Raises:
        UserError: bad input, and nothing was written; or it failed, which is written down.
        Interrupted: a signal came; a checkpoint was written.
    """
    if trial.spec.stage is None:
        raise UserError("a trial trains one stage; give --stage")
    if not 1 <= trial.seeds <= MOST_SEEDS:
        raise UserError(f"--seeds-per-trial {trial.seeds} is out of range; give a number from 1 to {MOST_SEEDS}")
    (stage,) = resolve(trial.spec)
    with alone_in(folder, of_engine=bool(line.id)):
        return _run(trial, folder, line, sinks, reporter, stage)


def _run(
    trial: Trial,
    folder: Path,
    line: Line,
    sinks: Mapping[str, OpenSink] | None,
    reporter: Reporter | None,
    stage: StageSpec,
) -> TrialRecord:
    record = _begin(trial, folder, line)
    line.begun(record)
    if record.state in OVER:
        if record.last is not None:
            line.report(*record.last)
        line.ended(record)
        return record
    began, before = time.monotonic(), record.seconds
    record.state, record.why, record.starts = "running", "", record.starts + 1
    record.save(folder)  # who kills it now leaves no record that says how it ended before
    running = _Running(trial, record, folder, line, stage.config.curriculum.timesteps)
    try:
        for number in range(len(record.results), trial.seeds):
            spec = replace(trial.spec, seed=trial.spec.seed + number)
            (config,) = (one.config for one in resolve(spec))

            def watch(step: int, summary: Summary, number: int = number, config: Any = config) -> str | None:
                return running.evaluated(number, step, evaluation_value(trial.objective, summary, config))

            (result,) = start(spec, folder / f"seed{number}", sinks=sinks, reporter=reporter, watch=watch)
            why = running.seed_is_over(number, result)
            if why is not None and number + 1 < trial.seeds:
                raise Stopped(why)
        record.value = fmean(one["value"] for one in record.results)
        record.lower = lower_bound([one["value"] for one in record.results])
        hand_on(folder, stage.config.stage.number, record)
        record.state = "passed" if all(one["stage_passed"] for one in record.results) else "budget"
    except Interrupted as interrupt:
        record.state, record.why, record.starts = "pre-empted", str(interrupt), record.starts - 1
        raise
    except Stopped as stopped:
        record.state, record.why = "pruned", str(stopped)
        record.value = record.last[1] if record.last else None
    except BaseException as error:
        ending = ending_of(error)
        said = type(error).__name__ + f": {error}" if ending is None else ending[0]
        record.state, record.why = "failed", plain(redact(" ".join(said.split())))[:500]
        raise
    finally:
        record.seconds = round(before + time.monotonic() - began, 1)
        record.save(folder)
        line.ended(record)
    return record


def _begin(trial: Trial, folder: Path, line: Line) -> TrialRecord:
    """The record to go on with.

    Raises:
        UserError: another trial lies there, or the folder cannot be made.
    """
    fresh = trial.record(line)
    found = read_trial(folder)
    if found is not None:
        same_spec = RunSpec.from_json(found.spec) == trial.spec  # keys that are newer than the record have defaults
        for name in ("point", "spec", "objective", "seeds"):
            if getattr(found, name) != getattr(fresh, name) and not (name == "spec" and same_spec):
                raise UserError(
                    f"{folder} holds another trial, whose {name} is {shown(getattr(found, name))}; give another"
                    " --output-dir"
                )
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.save(folder)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); give another --output-dir") from None
    return fresh


class _Running:
    """Keeps the record of a trial while it trains."""

    def __init__(self, trial: Trial, record: TrialRecord, folder: Path, line: Line, budget: int) -> None:
        self._trial, self._record, self._folder, self._line = trial, record, folder, line
        self._budget = budget

    def evaluated(self, number: int, step: int, value: float) -> str | None:
        """Note an evaluation of seed `number`, and say it to the engine, whose answer this returns.

        One that a resumed training makes again is noted once.
        """
        record = self._record
        record.scores = [one for one in record.scores if (one[0], one[1]) < (number, step)]
        record.scores.append((number, step, value))
        best = max(score for seed, _, score in record.scores if seed == number)
        return self._report(number * self._budget + step, [*self._values(), best])

    def seed_is_over(self, number: int, result: dict[str, Any]) -> str | None:
        """Note what the training with one seed came to, and say it; the answer is the engine's."""
        record = self._record
        scores = [score for seed, _, score in record.scores if seed == number]
        best = max(scores) if scores else result["best_mean_reward"]
        value = best
        if result["stage_passed"]:
            value = solved_value(self._trial.objective, best, result["timesteps"], self._budget)
        names = ("seed", "stage_passed", "timesteps", "score", "best_score", "best_step", "best_mean_reward")
        more = ("best_mean_episode_length", "wall_seconds")
        record.results.append({"value": value, **{name: result[name] for name in (*names, *more)}})
        # All seeds alike are over at a multiple of the budget, whether or not they needed all of it.
        return self._report((number + 1) * self._budget, self._values())

    def _values(self) -> list[float]:
        return [one["value"] for one in self._record.results]

    def _report(self, step: int, values: list[float]) -> str | None:
        value = fmean(values)
        self._record.reports = [one for one in self._record.reports if one[0] < step] + [(step, value)]
        self._record.starts = 0
        self._record.save(self._folder)
        return self._line.report(step, value)
