"""Finished stages as rows of a table: what `metrics.json` says, flat. Curricula write them, collections read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

RESULTS_FILE = "collected_results.csv"
COLUMNS = (
    "species",
    "stage",
    "stage_name",
    "stage_passed",
    "seed",
    "backend",
    "algorithm",
    "timesteps",
    "wall_seconds",
    "steps_per_second",
    "score",
    "best_score",
    "best_step",
    "best_mean_reward",
    "best_mean_episode_length",
    "success",
    "success_low",
    "statue_success",
    "random_success",
    "final_policy",
)
"""Of a curriculum's table, one row for each stage."""
Row = dict[str, Any]


def row_of(result: Mapping[str, Any]) -> Row:
    """What a `metrics.json` says in the columns `COLUMNS`, as far as it does; those of earlier systems say less."""
    identity, evaluation, baselines = (dict(result.get(name) or {}) for name in ("identity", "evaluation", "baselines"))
    more = {name: identity.get(name) for name in ("backend", "algorithm")}
    more |= {name: evaluation.get(name) for name in ("success", "success_low")}
    more |= {f"{actor}_success": dict(baselines.get(actor) or {}).get("success") for actor in ("statue", "random")}
    every = {**result, **more}
    return {name: every[name] for name in COLUMNS if every.get(name) is not None}


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """The rows as CSV; what a row does not have is empty, and what is no column is left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def results_table(results: Sequence[Mapping[str, Any]]) -> str:
    """The table of a curriculum, of what each `metrics.json` says."""
    return csv_text([row_of(one) for one in results])
