"""Which curves of a stage are shown, with its gates and baselines as level lines."""

from __future__ import annotations

import math
import re
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


def check_metrics(runs: Sequence[StageRun], metrics: Sequence[str]) -> None:
    """Refuse a metric that none of the runs has.

    Raises:
        UserError: there is one.
    """
    stages = sorted({run.stage for run in runs})
    known = {stage: metrics_of([run for run in runs if run.stage == stage]) for stage in stages}
    names = dict.fromkeys(name for stage in stages for name in known[stage])
    whole = {f"stage{stage}/{name}" for stage in stages for name in known[stage]}
    for name in metrics:
        if name not in names and name not in whole:
            near = did_you_mean(_bare(name), names) or "; see the first line of training.csv for their names"
            raise UserError(f"no run has the metric '{shown(name)}'{near}")


def _bare(metric: str) -> str:
    return re.sub(r"^stage\d+/", "", metric)


def panels_of(runs: Sequence[StageRun], metrics: Sequence[str] = ()) -> list[Panel]:
    """A panel for each metric that some of the runs, all of one stage, has.

    Args:
        metrics: names in `training.csv`, with or without `stage<N>/`; default: the usual ones.
    """
    known = metrics_of(runs)
    asked = dict.fromkeys(name.removeprefix(f"stage{runs[0].stage}/") for name in metrics)
    usual = [name for name in USUAL if not (name in SAME and _same(runs))]
    chosen = [name for name in (asked if metrics else usual) if name in known]
    panels = []
    for name in chosen:
        curves = [curve for run in runs if (curve := curve_of(run, name)) is not None]
        share = name.startswith("eval/") and name.rpartition("/")[2] in SHARES
        panels.append(
            Panel(
                title=USUAL.get(name, name),
                curves=curves,
                band=band_of(curves),
                gates=_gates(runs, name),
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
    found = [
        (name, float(value)) for name, value in thresholds.get(metric, []) if math.isfinite(value) and value != 0.0
    ]
    if metric == "eval/gait/speed" and config.env.target_froude > 0.0:
        found.append(("asked for", math.sqrt(config.env.target_froude)))
    return list({value: (name, value) for name, value in reversed(found)}.values())[::-1]


def _gates(runs: Sequence[StageRun], metric: str) -> list[tuple[str, float]]:
    """The thresholds of all runs; one that not every run has is named after those that have it."""
    found: dict[tuple[str, float], list[str]] = {}
    for run in runs:
        for gate in gates_of(run.config, metric):
            found.setdefault(gate, []).append(run.name)
    common = {gate: len(names) == len(runs) for gate, names in found.items()}
    return [
        (name if common[name, value] else f"{name} ({', '.join(names)})", value)
        for (name, value), names in found.items()
    ]


def _bases(runs: Sequence[StageRun], metric: str) -> list[tuple[str, float]]:
    """The baselines; of several runs, whose episodes differ, the highest of each."""
    key = metric.removeprefix("eval/")
    known: dict[str, list[float]] = {}
    for run in runs:
        figures = run.result.get("baselines", {})
        for name in BASELINES:
            row = figures.get(name)
            if isinstance(row, dict) and _real(row.get(key)):
                known.setdefault(name, []).append(float(row[key]))
    found: dict[float, list[str]] = {}
    for name, values in known.items():
        found.setdefault(max(values), []).append(name if min(values) == max(values) else f"highest {name}")
    return [(", ".join(names), value) for value, names in found.items()]


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(runs: Sequence[StageRun]) -> bool:
    """In balance, survival and score are the success: one panel is enough."""
    return runs[0].config.env.task == "balance"
