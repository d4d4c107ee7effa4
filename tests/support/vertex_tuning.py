"""Trials of the loopback Vertex server: the next point, the metric file, early stopping, and how a trial ends."""

from __future__ import annotations

import itertools
import json
import math
import random
import statistics
import time
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1.types import StudySpec, Trial

MAXIMIZE = StudySpec.MetricSpec.GoalType.MAXIMIZE
BEST = StudySpec.MeasurementSelectionType.BEST_MEASUREMENT
GRID = StudySpec.Algorithm.GRID_SEARCH
WARM_UP = 2
"""Trials that must have ended before the median stops another one."""


def wrong_with(study: Any) -> str:
    """What the service refuses of a study, in its words; empty: nothing."""
    if not study.metrics or not study.metrics[0].metric_id or not study.metrics[0].goal:
        return "StudySpec.metrics needs a metric_id and a goal."
    if not study.parameters:
        return "StudySpec.parameters must not be empty."
    for one in study.parameters:
        kind = one._pb.WhichOneof("parameter_value_spec")
        if not one.parameter_id or kind is None:
            return "A parameter needs a parameter_id and a value spec."
        numbers = kind in ("double_value_spec", "integer_value_spec")
        spec = getattr(one, kind)
        if numbers and not spec.min_value < spec.max_value:
            return f"{one.parameter_id}: min_value must be less than max_value."
        if kind == "discrete_value_spec" and list(spec.values) != sorted(set(spec.values)):
            return f"{one.parameter_id}: values must be in increasing order."
        if kind in ("discrete_value_spec", "categorical_value_spec") and not spec.values:
            return f"{one.parameter_id}: values must not be empty."
        scale = StudySpec.ParameterSpec.ScaleType
        low = spec.min_value if numbers else min(spec.values) if kind == "discrete_value_spec" else 1
        if one.scale_type in (scale.UNIT_LOG_SCALE, scale.UNIT_REVERSE_LOG_SCALE) and low <= 0:
            return f"{one.parameter_id}: a log scale needs values above 0."
        if study.algorithm == GRID and kind == "double_value_spec":
            return f"{one.parameter_id}: GRID_SEARCH does not take DOUBLE parameters."
    return ""


class Points:
    """The points of a study, drawn one after the other; None where a grid has no more."""

    def __init__(self, study: Any, seed: int) -> None:
        self._study = study
        self._random = random.Random(seed)
        self._grid = None
        if study.algorithm == GRID:
            self._grid = itertools.product(*(_all_values(one) for one in study.parameters))

    def next(self) -> dict[str, Any] | None:
        names = [one.parameter_id for one in self._study.parameters]
        if self._grid is not None:
            values = next(self._grid, None)
            return None if values is None else dict(zip(names, values, strict=True))
        return {one.parameter_id: _drawn(one, self._random) for one in self._study.parameters}


def _all_values(one: Any) -> list[Any]:
    kind = one._pb.WhichOneof("parameter_value_spec")
    if kind == "integer_value_spec":
        return [float(value) for value in range(one.integer_value_spec.min_value, one.integer_value_spec.max_value + 1)]
    return list(getattr(one, kind).values)


def _drawn(one: Any, source: random.Random) -> Any:
    """Numbers come as floats, those of discrete and integer parameters too, as from the service."""
    kind = one._pb.WhichOneof("parameter_value_spec")
    spec = getattr(one, kind)
    if kind in ("discrete_value_spec", "categorical_value_spec"):
        return source.choice(list(spec.values))
    low, high = float(spec.min_value), float(spec.max_value)
    scales = StudySpec.ParameterSpec.ScaleType
    if one.scale_type == scales.UNIT_LOG_SCALE:
        value = math.exp(source.uniform(math.log(low), math.log(high)))
    elif one.scale_type == scales.UNIT_REVERSE_LOG_SCALE:
        value = low + high - math.exp(source.uniform(math.log(low), math.log(high)))
    else:
        value = source.uniform(low, high)
    return float(round(value)) if kind == "integer_value_spec" else min(max(value, low), high)


def arguments(point: dict[str, Any]) -> list[str]:
    """How a trial is told its point."""
    return [f"--{name}={value}" for name, value in point.items()]


def read_measurements(file: Path, metric: str) -> list[dict[str, Any]]:
    """What a trial has reported, each as JSON of a `Measurement`; lines about another metric do not count."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            row = json.loads(line)
            value, step = float(row[metric]), int(row.get("global_step", 0))
        except (ValueError, KeyError, TypeError):
            continue
        if math.isfinite(value):
            found.append({"stepCount": str(step), "metrics": [{"metricId": metric, "value": value}]})
    return found


def final(measurements: list[dict[str, Any]], study: Any) -> dict[str, Any]:
    """The measurement that counts."""
    if study.measurement_selection_type != BEST:
        return measurements[-1]
    sign = 1 if study.metrics[0].goal == MAXIMIZE else -1
    return max(measurements, key=lambda one: sign * one["metrics"][0]["value"])


def is_hopeless(trial: Any, others: list[Any], study: Any) -> bool:
    """Whether the median rule stops a trial: its best so far is below the median of the ended ones' best by then."""
    if not study._pb.HasField("median_automated_stopping_spec") or not trial.measurements:
        return False
    sign = 1 if study.metrics[0].goal == MAXIMIZE else -1
    step = trial.measurements[-1].step_count
    bests = []
    for other in others:
        if other.state == Trial.State.SUCCEEDED:
            values = [sign * one.metrics[0].value for one in other.measurements if one.step_count <= step]
            bests += [max(values)] if values else []
    best = max(sign * one.metrics[0].value for one in trial.measurements)
    return len(bests) >= WARM_UP and best < statistics.median(bests)


def now() -> str:
    """This moment as the service writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() % 1 * 1e6):06d}Z"
