"""Pictures of a sweep's results: trials, hyperparameters, and which of these matter."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError
from mesozoic.files import write_bytes
from mesozoic.run.results_table import Row
from mesozoic.sweep.results import hyperparameters

TRIALS, PARAMETERS, IMPORTANCE = (
    "sweep_trial_metrics.png",
    "sweep_hyperparameter_analysis.png",
    "sweep_parameter_importance.png",
)
FEWEST = 4
"""Trials below which nothing can be said of importance."""


def draw(
    rows: Sequence[Row], folder: Path, species: str | None = None, algorithm: str | None = None
) -> tuple[list[Path], list[str]]:
    """Draw what there is enough of; the files that were written, and a sentence for each that was not.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures need matplotlib; run: pip install 'mesozoic[viz]'") from None
    what = f"{species or rows[0].get('species') or ''} {algorithm or rows[0].get('algorithm') or ''}".strip()
    drawn, missing = [], []
    for name, paint in ((TRIALS, _trials), (PARAMETERS, _parameters), (IMPORTANCE, _importance)):
        figure = Figure(figsize=(10, 7), layout="constrained")
        if why := paint(figure, rows):
            missing.append(f"no {name}: {why}")
            continue
        figure.suptitle(f"{what}: {len(rows)} results")
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=120)
        write_bytes(folder / name, picture.getvalue())
        drawn.append(folder / name)
    return drawn, missing


def _numbers(rows: Sequence[Row], name: str) -> list[float]:
    return [float(row[name]) if isinstance(row.get(name), int | float) else math.nan for row in rows]


def _trials(figure: Any, rows: Sequence[Row]) -> str:
    """Reward, episode length, stability and gate, two by two."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    axes = figure.subplots(2, 2)
    passed, not_passed = "tab:green", "tab:grey"
    colours = [passed if row["stage_passed"] else not_passed for row in rows]
    figure.legend(
        handles=[Patch(color=passed, label="passed its gate"), Patch(color=not_passed, label="did not")],
        loc="outside lower center",
        ncols=2,
    )
    places = range(1, len(rows) + 1)
    for axis, name in ((axes[0][0], "best_mean_reward"), (axes[0][1], "best_mean_episode_length")):
        axis.bar(places, _numbers(rows, name), color=colours)
        axis.set(xlabel="row of the table", ylabel=name.replace("_", " "), xlim=(0.4, len(rows) + 0.6))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1][0].scatter(_numbers(rows, "best_score"), _numbers(rows, "score"), c=colours)
    axes[1][0].set(xlabel="best score", ylabel="last score (below the best: it was lost again)")
    states = sorted({str(row.get("state")) for row in rows})
    axes[1][1].bar(states, [sum(str(row.get("state")) == one for row in rows) for one in states])
    axes[1][1].set(ylabel="results", title="how they ended")
    axes[1][1].yaxis.set_major_locator(MaxNLocator(integer=True))
    return ""


def _parameters(figure: Any, rows: Sequence[Row]) -> str:
    """The value of each trial over each hyperparameter, a colour for each stage."""
    names = hyperparameters(rows)
    if not names:
        return "no hyperparameter differs between these results"
    width = math.ceil(math.sqrt(len(names)))
    axes = figure.subplots(math.ceil(len(names) / width), width, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    worth = [row for row in rows if isinstance(row.get("value"), int | float)]
    for axis, name in zip(axes, names, strict=False):
        mine = [row for row in worth if name in row]
        xs: list[Any] = _numbers(mine, name)
        if any(map(math.isnan, xs)):
            xs = [str(row[name]) for row in mine]
        elif xs and min(xs) > 0 and max(xs) > 30 * min(xs):
            axis.set_xscale("log")
        for x, row in zip(xs, mine, strict=True):
            colour = f"C{row['stage'] - 1}"
            inside = "none" if row.get("state") == "pruned" else colour
            axis.scatter([x], [float(row["value"])], edgecolors=colour, facecolors=inside, s=22)
        axis.set(xlabel=name, ylabel="value")
    figure.legend(handles=_marks(worth), loc="outside lower center", ncols=4)
    return ""


def _marks(rows: Sequence[Row]) -> list[Any]:
    """What the points of a picture stand for."""
    from matplotlib.lines import Line2D

    plain: dict[str, Any] = {"marker": "o", "linestyle": "none"}
    stages = sorted({row["stage"] for row in rows})
    found = [Line2D([], [], color=f"C{stage - 1}", label=f"stage {stage}", **plain) for stage in stages]
    if any(row.get("state") == "pruned" for row in rows):
        found.append(Line2D([], [], markeredgecolor="black", markerfacecolor="none", label="pruned", **plain))
    return found


def _importance(figure: Any, rows: Sequence[Row]) -> str:
    """How much of the difference between trials each parameter explains, by PED-ANOVA, for each stage."""
    if find_spec("optuna") is None:
        return "it needs Optuna; run: pip install 'mesozoic[sweep]'"
    shares = {stage: importance([row for row in rows if row["stage"] == stage]) for stage in {r["stage"] for r in rows}}
    shares = {stage: found for stage, found in sorted(shares.items()) if found}
    if not shares:
        return f"it needs {FEWEST} results of one stage, with values that differ"
    axes = figure.subplots(1, len(shares), squeeze=False)[0]
    for axis, (stage, found) in zip(axes, shares.items(), strict=True):
        axis.barh(list(found)[::-1], list(found.values())[::-1])
        axis.set(title=f"stage {stage}", xlabel="importance")
    return ""


def importance(rows: Sequence[Row]) -> dict[str, float]:
    """Parameter -> its importance, the greatest first; empty where too little is known or Optuna is missing."""
    try:
        import optuna
        from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
        from optuna.importance import PedAnovaImportanceEvaluator
    except ImportError:
        return {}
    names = hyperparameters(rows)
    mine = [row for row in rows if isinstance(row.get("value"), int | float) and all(name in row for name in names)]
    if len(mine) < FEWEST or not names or len({row["value"] for row in mine}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions: dict[str, BaseDistribution] = {}
    for name in names:
        values = _numbers(mine, name)
        if any(map(math.isnan, values)):
            distributions[name] = CategoricalDistribution(sorted({str(row[name]) for row in mine}))
        else:
            distributions[name] = FloatDistribution(min(values), max(values))
    study = optuna.create_study(direction="maximize")
    for row in mine:
        params = {
            name: str(row[name]) if isinstance(distributions[name], CategoricalDistribution) else float(row[name])
            for name in names
        }
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=float(row["value"])))
    found = optuna.importance.get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in found.items() if math.isfinite(share)}
