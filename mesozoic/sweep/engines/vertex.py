"""The Vertex AI engine: a sweep as the service's own study takes it. Google hands out the points, and runs the trials.

Who submits the job and waits for it is `mesozoic/cloud/vertex/tuning.py`; what a trial does, `sweep/vertex_line.py`.
"""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any

from mesozoic.config.override import write_value
from mesozoic.errors import Problems
from mesozoic.sweep.plan import SweepPlan
from mesozoic.sweep.space import Choice, Method, Parameter, Range

PRUNERS = ("median", "none")
ALGORITHMS: dict[Method, str] = {"bayes": "ALGORITHM_UNSPECIFIED", "random": "RANDOM_SEARCH", "grid": "GRID_SEARCH"}
"""The service's names; what has none is its Bayesian search."""
MOST_VALUES, MOST_TRIALS, MOST_PARALLEL = 1000, 1000, 100
"""The service's limits."""
PARALLEL = 5
"""Trials side by side, where nobody says it."""


def study_of(plan: SweepPlan) -> dict[str, Any]:
    """What is searched and how, as JSON of a `StudySpec`.

    Raises:
        UserError: a sentence for each thing that the service does not have.
    """
    wrong = []
    if plan.pruner not in PRUNERS:
        wrong.append(f"Vertex AI has no pruner '{plan.pruner}'; give --pruner median or none")
    if plan.trials > MOST_TRIALS:
        wrong.append(f"Vertex AI runs at most {MOST_TRIALS:,} trials in one job, not {plan.trials:,}; give --trials")
    if parallel_of(plan) > MOST_PARALLEL:
        wrong.append(f"Vertex AI runs at most {MOST_PARALLEL} trials side by side; give --parallel {MOST_PARALLEL}")
    wrong += [sentence for one in plan.parameters if (sentence := _problem(one))]
    varied = [one for one in plan.parameters if not _is_fixed(one)]
    if not varied:
        wrong.append("every parameter has one value only; Vertex AI searches nothing then: list more")
    if wrong:
        raise Problems(wrong)
    study: dict[str, Any] = {
        "metrics": [{"metricId": plan.objective, "goal": "MAXIMIZE"}],
        "parameters": [_parameter(one) for one in varied],
        "algorithm": ALGORITHMS[plan.method],
        # What a trial is worth is its last measurement: the mean over its seeds can fall, the best of them not.
        "measurementSelectionType": "LAST_MEASUREMENT",
    }
    if plan.pruner == "median":
        study["medianAutomatedStoppingSpec"] = {"useElapsedDuration": False}
    return study


def parallel_of(plan: SweepPlan) -> int:
    """Trials side by side."""
    return min(plan.parallel or PARALLEL, plan.trials)


def trial_arguments(plan: SweepPlan, folder: PurePosixPath, wandb: bool = False) -> list[str]:
    """What the image is told, to which the service adds `--ppo_learning_rate=0.0003` and so on.

    Args:
        folder: where the sweep's files go, in the trial's machine; wandb: whether trials log to W&B as well.
    """
    fixed = {one.path: one.domain.values[0] for one in plan.parameters if isinstance(one.domain, Choice)}
    known = {one.path: fixed[one.path] for one in plan.parameters if _is_fixed(one)}
    logged = ["--wandb"] if wandb else []
    return ["sweep", "trial", *plan.trial_words(known), *logged, f"--output-dir={folder / f'stage{plan.stage}'}"]


def name_of(path: str) -> str:
    """What the service calls a parameter: `ppo_learning_rate` for `ppo.learning_rate`."""
    return path.replace(".", "_", 1)


def _is_fixed(one: Parameter) -> bool:
    return isinstance(one.domain, Choice) and len(one.domain.values) == 1


def _problem(one: Parameter) -> str:
    domain = one.domain
    if isinstance(domain, Choice) and _are_numbers(domain) and len(domain.values) > MOST_VALUES:
        return f"{one.path} has {len(domain.values):,} values, and Vertex AI takes {MOST_VALUES:,}; list fewer"
    if isinstance(domain, Range) and domain.step is not None and len(_multiples(domain)) > MOST_VALUES:
        return f"{one.path} has more than the {MOST_VALUES:,} steps that Vertex AI takes; make q larger"
    return ""


def _parameter(one: Parameter) -> dict[str, Any]:
    domain, found = one.domain, {"parameterId": name_of(one.path)}
    if isinstance(domain, Choice):
        if _are_numbers(domain):
            return {**found, "discreteValueSpec": {"values": sorted(float(value) for value in domain.values)}}
        words = [write_value(value) for value in domain.values]
        return {**found, "categoricalValueSpec": {"values": words}}
    if domain.step is not None:
        return {**found, "discreteValueSpec": {"values": _multiples(domain)}}
    scale = {"scaleType": "UNIT_LOG_SCALE" if domain.log else "UNIT_LINEAR_SCALE"}
    if domain.whole:
        bounds = {"minValue": str(int(domain.low)), "maxValue": str(int(domain.high))}
        return {**found, **scale, "integerValueSpec": bounds}
    return {**found, **scale, "doubleValueSpec": {"minValue": float(domain.low), "maxValue": float(domain.high)}}


def _are_numbers(domain: Choice) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in domain.values)


def _multiples(domain: Range) -> list[float]:
    """The values of a range with a step, and no more of them than say that they are too many."""
    assert domain.step is not None
    count = math.floor((domain.high - domain.low) / domain.step + 1e-9) + 1
    return [domain.low + number * domain.step for number in range(min(count, MOST_VALUES + 1))]
