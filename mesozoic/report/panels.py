"""Which curves of a stage are shown, with its gates and baselines as level lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mesozoic.config import StageConfig
from mesozoic.curricula.gate import BASELINES
from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.report.chart import Panel
from mesozoic.report.curves import band_of, curve_of, metrics_of
from mesozoic.report.runs import StageRun

USUAL = {
    "eval/success": "success",
    "eval/score": "score",
    "eval/survival": "survival",
    "eval/avg_reward": "reward of an episode",
    "eval/avg_episode_length": "length of an episode, steps",
    "eval/gait/speed": "speed, sqrt(g*h)",
    "eval/gait/flight": "share of time in the air",
    "eval/gait/alternation": "alternation",
    "eval/gait/slip": "slip, sqrt(g*h)",
    "eval/nearest": "nearest to the target, hip heights",
}
"""Metric -> what it is called; those that a stage has are shown unless others are asked for."""
SHARES = ("success", "score", "survival", "flight", "alternation")

SAME = ("eval/survival", "eval/score")


def panels_of(runs: Sequence[StageRun], metrics: Sequence[str] = ()) -> list[Panel]:
    """A panel for each metric that some of the runs, all of one stage, has.

    Args:
        metrics: names in `training.csv`, with or without `stage<N>/`; default: the usual ones.

    Raises:
        UserError: no run has one that was asked for.
    """
    known = metrics_of(runs)
    asked = [name.removeprefix(f"stage{runs[0].stage}/") for name in metrics]
    for name in asked:
        if name not in known:
            near = did_you_mean(name, known) or "; see the first line of training.csv for their names"
            raise UserError(f"no run has the metric '{shown(name)}'{near}")
    chosen = asked or [name for name in USUAL if name in known and not (name in SAME and _same(runs))]
    panels = []
    for name in chosen:
        curves = [curve for run in runs if (curve := curve_of(run, name)) is not None]
        share = name.startswith("eval/") and name.rpartition("/")[2] in SHARES
        panels.append(
            Panel(
                title=USUAL.get(name, name),
                curves=curves,
                band=band_of(curves),
                gates=gates_of(runs[0].config, name),
                bases=_bases(runs, name),
                share=share,
            )
        )
    return panels


def gates_of(config: StageConfig, metric: str) -> list[tuple[str, float]]:
    """Names and values of the thresholds that the gate has for a metric."""
    plan = config.curriculum
    thresholds = {
        "eval/success": [("gate: mean", plan.min_success), ("gate: lower bound", plan.min_success_low)],
        "eval/success_low": [("gate", plan.min_success_low)],
        "eval/survival": [("gate: lower bound", plan.min_survival)],
        "eval/avg_reward": [("gate", plan.min_avg_reward)],
        "eval/avg_episode_length": [("gate", plan.min_avg_episode_length)],
        "eval/gait/flight": [("gate: at most", plan.max_flight)],
    }
    found = [(name, float(value)) for name, value in thresholds.get(metric, []) if math.isfinite(value) and value > 0.0]
    if metric == "eval/gait/speed" and config.env.target_froude > 0.0:
        found.append(("asked for", math.sqrt(config.env.target_froude)))
    return list({value: (name, value) for name, value in reversed(found)}.values())[::-1]


def _bases(runs: Sequence[StageRun], metric: str) -> list[tuple[str, float]]:
    """The baselines of the first run that has them."""
    key = metric.removeprefix("eval/")
    for run in runs:
        figures = run.result.get("baselines")
        if isinstance(figures, dict):
            rows = [(name, figures.get(name)) for name in BASELINES]
            found: dict[float, list[str]] = {}
            for name, row in rows:
                if isinstance(row, dict) and _real(row.get(key)):
                    found.setdefault(float(row[key]), []).append(name)
            return [(", ".join(names), value) for value, names in found.items()]
    return []


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(runs: Sequence[StageRun]) -> bool:
    """In balance, survival and score are the success: one panel is enough."""
    return runs[0].config.env.task == "balance"
