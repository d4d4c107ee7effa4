"""The best trial of a sweep: what to type to train with its values, and how good its policy is on fresh episodes.

The best of many trials was chosen by its figures, so these flatter it; fresh episodes do not.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.config import parse_overrides
from mesozoic.config.override import Override
from mesozoic.errors import UserError
from mesozoic.evaluation.episodes import Summary
from mesozoic.run.evaluation import evaluate_policy
from mesozoic.run.spec import RunSpec
from mesozoic.sweep.handed_on import best_seed, policy_of
from mesozoic.sweep.objective import evaluation_value, known_objective
from mesozoic.sweep.space import Point
from mesozoic.sweep.sweep_folder import SweepFolder
from mesozoic.sweep.trial_record import TrialRecord

FRESH_SEED = 20_000_003
"""Of the episodes on which a winner is evaluated anew; no trial was chosen by them."""
EPISODES = 256
OF_THE_SWEEP = ("curriculum.timesteps", "curriculum.eval_freq", "curriculum.save_freq")
"""Keys that say how long a trial trains and how often it writes; a winner trains as its stage file says."""


@dataclass(frozen=True)
class Winner:
    """The best trial of one stage.

    Attributes:
        trials: how many it was the best of; policy: that of its best seed.
        fresh: figures on fresh episodes; fresh_value: the same by the sweep's objective, before its gate.
        found_value: what the evaluations of its training were worth by that, at best.
    """

    id: str
    stage: int
    record: TrialRecord
    trials: int
    policy: Path
    fresh: Summary
    fresh_value: float
    found_value: float

    @property
    def overrides(self) -> list[str]:
        """Its values, for this stage alone, as `--override` takes them."""
        return overrides_for(self.stage, self.record.point)

    @property
    def command(self) -> str:
        """What to type to train as it was trained."""
        return curriculum_command(self.record.spec, settings_of(self.stage, self.record.spec["overrides"]))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "trial": self.id,
            "stage": self.stage,
            "state": self.record.state,
            "objective": self.record.objective,
            "value": self.record.value,
            "lower": self.record.lower,
            "trials": self.trials,
            "overrides": self.overrides,
            "policy": str(self.policy),
            "found": self.found_value,
            "fresh": self.fresh_value,
            "fresh_evaluation": self.fresh,
        }


def best_trial(folder: SweepFolder, stage: int | None = None) -> tuple[int, str, TrialRecord, int]:
    """Stage, name and record of the best trial, and of how many it is the best.

    Args:
        stage: default: the last one that has trials.

    Raises:
        UserError: no trial ran to its end.
    """
    trials = {number: folder.records(number) for number in folder.stages()}
    stages = [number for number in trials if trials[number]]
    if not stages:
        raise UserError(f"{folder.path} holds no trials (stageN/ID/trial.json); give the --output-dir of a sweep")
    number = max(stages) if stage is None else stage
    records = trials.get(number, {})
    over = {name: one for name, one in records.items() if one.state in ("passed", "budget") and one.value is not None}
    if not over:
        there = (
            f"it has trials of stage {', '.join(map(str, stages))}" if not records else "wait for it, or go on with it"
        )
        raise UserError(f"no trial of stage {number} in {folder.path} has run to its end; {there}")
    name = max(over, key=lambda one: over[one].value or 0.0)
    return number, name, over[name], len(records)


def overrides_for(stage: int, point: Point) -> list[str]:
    """The values of a point for one stage alone, as `--override` takes them; widths are for all stages, or none."""
    found = []
    for path, value in point.items():
        section, dot, key = path.partition(".")
        found += [str(Override(section, key, value, None if key == "net_arch" else stage))] if dot else []
    return found


def settings_of(stage: int, overrides: Sequence[str]) -> list[str]:
    """All that a trial of a stage was trained with, as `--override` takes it, but for its budget and its files.

    Values were found beside those that were not searched: a batch, for one, fits some numbers of worlds only.
    """
    given = [one for one in parse_overrides(overrides) if one.stage in (None, stage)]
    return overrides_for(stage, {one.path: one.value for one in given if one.path not in OF_THE_SWEEP})


def curriculum_command(spec: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """What to type to train all stages with these overrides.

    Args:
        spec: a training, as JSON.
    """
    words = ["mesozoic", "curriculum", str(spec["species"])]
    plain = RunSpec()
    options = ("backend", "algorithm", "physics")
    words += [f"--{name}={spec[name]}" for name in options if spec[name] != getattr(plain, name)]
    return shlex.join([*words, *(word for text in overrides for word in ("--override", text))])


def find_winner(path: Path, stage: int | None = None, episodes: int = EPISODES) -> Winner:
    """The best trial in a sweep's folder, with its policy evaluated on fresh episodes.

    Raises:
        UserError: there is none, or its policy is gone.
    """
    folder = SweepFolder(path)
    number, name, record, trials = best_trial(folder, stage)
    objective = known_objective(record.objective)
    best = best_seed(record)
    policy = policy_of(folder.trials(number) / name, number, record)
    found = evaluate_policy(policy, number, episodes=episodes, seed=FRESH_SEED)
    fresh = found.figures["policy"]
    earlier = max(score for seed, _, score in record.scores if seed == best)
    value = evaluation_value(objective, fresh, found.config)
    return Winner(name, number, record, trials, policy, fresh, value, earlier)
