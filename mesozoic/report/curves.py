"""Curves over training: of one run, and the median and range of several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesozoic.report.runs import StageRun

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of one run: environment steps [k], strictly rising, and its values [k]."""

    name: str
    steps: Values
    values: Values


@dataclass(frozen=True, eq=False)
class Band:
    """Several curves: at each of `steps` [k] the median and the range of those runs that go on to there."""

    steps: Values
    median: Values
    low: Values
    high: Values


def curve_of(run: StageRun, metric: str) -> Curve | None:
    """A metric of a run, by its name in `training.csv` with or without `stage<N>/`; None if it has none.

    Of a step that is there twice, the last row counts.
    """
    names = (f"stage{run.stage}/{metric}", metric)
    found: dict[float, float] = {}
    for row in run.rows:
        value = next((row[name] for name in names if name in row), None)
        if value is not None:
            found[row["step"]] = value
    if not found:
        return None
    steps = np.array(sorted(found))
    return Curve(run.name, steps, np.array([found[step] for step in steps]))


def band_of(curves: Sequence[Curve]) -> Band | None:
    """Median and range of curves, linear between their points; None of fewer than two.

    A run that has ended (at its gate, say) no longer counts beyond its last point, nor one before its first.
    """
    if len(curves) < 2:
        return None
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    inside = [np.interp(steps, curve.steps, curve.values, left=np.nan, right=np.nan) for curve in curves]
    table = np.stack(inside)
    return Band(steps, np.nanmedian(table, axis=0), np.nanmin(table, axis=0), np.nanmax(table, axis=0))


def metrics_of(runs: Sequence[StageRun]) -> list[str]:
    """Every metric that some run has, without `stage<N>/`, in the order in which they first appear."""
    names: dict[str, None] = {}
    for run in runs:
        for row in run.rows:
            names |= dict.fromkeys(name.removeprefix(f"stage{run.stage}/") for name in row if name != "step")
    return list(names)
