"""Collects what trials and trainings came to into one table, a row for each (see `finished`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from mesozoic.config.override import SECTIONS
from mesozoic.errors import UserError
from mesozoic.files import write_bytes
from mesozoic.redact import without_password
from mesozoic.run.results_table import COLUMNS, RESULTS_FILE, Row, csv_text, row_of
from mesozoic.sweep.finished import finished_below

FIRST = ("species", "algorithm", "stage", "stage_name", "trial", "state", "stage_passed", "value", "lower", "seeds")
METRICS = ("best_mean_reward", "best_mean_episode_length", "best_score", "score", "timesteps", "wall_seconds")
THRESHOLDS = (
    "min_avg_reward",
    "min_avg_episode_length",
    "min_survival",
    "min_success",
    "min_success_low",
)
THRESHOLD_KEYS = tuple(f"curriculum.{name}" for name in THRESHOLDS)


def collect(
    place: str, stages: Sequence[int] | None = None, warn: Callable[[str], object] = lambda line: None
) -> list[Row]:
    """All results below a folder or URL, by stage and name.

    Args:
        stages: only these; warn: hears what was left out, because it is damaged.

    Raises:
        UserError: nothing is there.
    """
    found, damaged = finished_below(place, stages)
    rows = []
    for one in found:
        try:
            row = _of_trial(one.says, one.training) if one.is_trial else _of_metrics(one.says)
        except (ValueError, KeyError, TypeError, AttributeError):
            damaged.append(one.file)
            continue
        rows.append({**row, "stage": one.stage, "trial": one.trial})
    count = "1 file is" if len(damaged) == 1 else f"{len(damaged)} files are"
    if rows and damaged:
        warn(f"{count} damaged and left out, the first {min(damaged)}")
    if not rows:
        what = f"; {count} damaged, the first {min(damaged)}" if damaged else ""
        raise UserError(f"there are no results below {without_password(place)} (stageN/.../metrics.json){what}")
    return rows


def _of_trial(raw: dict[str, Any], training: dict[str, Any]) -> Row:
    results = list(raw["results"])
    row: Row = {name: raw[name] for name in ("state", "value", "lower", "seeds", "why")}
    row |= {name: raw["spec"].get(name) for name in ("species", "backend", "algorithm", "seed")}
    row |= {name: raw[name] for name in ("objective", "seconds")}
    row["stage_passed"] = raw["state"] == "passed"
    row |= {
        name: fmean(float(one[name]) for one in results)
        for name in METRICS
        if results and results[0].get(name) is not None
    }
    return row | _settings(training, THRESHOLD_KEYS) | {str(path): value for path, value in raw["point"].items()}


def _of_metrics(raw: dict[str, Any]) -> Row:
    row = row_of(raw) | {"state": "passed" if raw["stage_passed"] else "budget"}
    row |= {"stage_passed": bool(raw["stage_passed"]), "value": raw.get("best_score"), "seeds": 1}
    return row | _settings(raw)


def _settings(training: dict[str, Any], names: Sequence[str] = ()) -> Row:
    """The keys of its stage that a training had, by path; of these names only, if some are given."""
    identity = dict(training.get("identity") or {})
    of_stage = {name: value for name, value in identity.items() if name.partition(".")[0] in SECTIONS and "." in name}
    return {name: value for name, value in of_stage.items() if not names or name in names}


def hyperparameters(rows: Sequence[Row]) -> list[str]:
    """Keys of stages that differ between rows: what was searched."""
    names = {name for row in rows for name in row if "." in name and name.partition(".")[0] in SECTIONS}
    differ = [name for name in sorted(names) if len({json.dumps(row.get(name)) for row in rows}) > 1]
    return [name for name in differ if name not in THRESHOLD_KEYS]


def write_table(rows: Sequence[Row], file: Path) -> None:
    """Write the table as CSV: what it is, hyperparameters, metrics, thresholds, what else a curriculum's own table has.

    Raises:
        OSError: it cannot be written.
    """
    names = {name for row in rows for name in row}
    more = [name for name in ("success", "success_low", "objective", "seconds", "why") if name in names]
    thresholds = [name for name in THRESHOLD_KEYS if name in names]
    columns = [*FIRST, *hyperparameters(rows), *METRICS, *more, *thresholds]
    columns += [name for name in COLUMNS if name in names]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, csv_text(rows, list(dict.fromkeys(columns))).encode())


def table_place(place: str) -> Path:
    """Where the table goes if nobody says."""
    return Path(RESULTS_FILE) if "://" in place else Path(place).expanduser() / RESULTS_FILE
