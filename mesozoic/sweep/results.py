"""Collects what trials and trainings came to into one table, wherever they lie: a folder, gs://, s3://, ...

One row for each of these, whichever is found first in a folder:

| file | what it is |
| --- | --- |
| `stageN/ID/trial.json` | a trial of a sweep |
| `stageN/ID/metrics.json` | a trial of earlier systems |
| `stageN/metrics.json` | a stage of a run or a curriculum |
| `ID/stageN/metrics.json` | runs side by side, as the agents of a W&B sweep leave them |
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from mesozoic.config.override import SECTIONS
from mesozoic.errors import UserError, plain
from mesozoic.files import read_bytes, write_bytes
from mesozoic.redact import redact, without_password

TABLE = "collected_results.csv"
LARGEST = 16 << 20
"""Bytes of one file."""
Row = dict[str, Any]
PATTERNS = (
    re.compile(r"stage(?P<stage>[1-9][0-9]?)/(?P<id>[^/]+)/(?P<file>trial\.json|metrics\.json)"),
    re.compile(r"(?P<id>)stage(?P<stage>[1-9][0-9]?)/(?P<file>metrics\.json)"),
    re.compile(r"(?P<id>[^/]+)/stage(?P<stage>[1-9][0-9]?)/(?P<file>metrics\.json)"),
)
FIRST = ("species", "algorithm", "stage", "stage_name", "trial", "state", "stage_passed", "value", "lower", "seeds")
METRICS = ("best_mean_reward", "best_mean_episode_length", "best_score", "score", "timesteps", "wall_seconds")
THRESHOLDS = (
    "min_avg_reward",
    "min_avg_episode_length",
    "min_survival",
    "min_success",
    "min_success_low",
)


class _Folder:
    """Files below a folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Paths that may be results, at most three folders deep."""
        found = [one for depth in ("*/*", "*/*/*") for one in self._path.glob(depth) if one.name.endswith(".json")]
        return sorted(str(one.relative_to(self._path)) for one in found)

    def read(self, name: str) -> bytes:
        return read_bytes(self._path / name, LARGEST)


class _Url:
    """Files below a URL."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise UserError("a URL needs fsspec; run: pip install fsspec gcsfs s3fs, or copy the folder here") from None
        self._url = url
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise UserError(f"cannot use {without_password(url)}: {plain(redact(str(error)))[:200]}") from None

    def names(self) -> list[str]:
        root = self._root.rstrip("/")
        try:
            found = [one for depth in ("*/*", "*/*/*") for one in self._fs.glob(f"{root}/{depth}.json")]
        except Exception as error:  # each service has errors of its own
            said = plain(redact((str(error).splitlines() or [type(error).__name__])[0]))[:200]
            raise UserError(
                f"cannot list {without_password(self._url)}: {said}; check the URL and your login"
            ) from None
        return sorted(str(one)[len(root) :].lstrip("/") for one in found)

    def read(self, name: str) -> bytes:
        data: bytes = self._fs.cat_file(f"{self._root.rstrip('/')}/{name}", 0, LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError("it is too long")
        return data


def collect(
    place: str, stages: Sequence[int] | None = None, warn: Callable[[str], object] = lambda line: None
) -> list[Row]:
    """All results below a folder or URL, by stage and name.

    Args:
        stages: only these; warn: hears what was left out, because it is damaged.

    Raises:
        UserError: nothing is there.
    """
    if "://" not in place and not Path(place).expanduser().is_dir():
        raise UserError(f"{place} is no folder; give the --output-dir of a sweep or of a curriculum, or a URL")
    source = _Url(place) if "://" in place else _Folder(Path(place).expanduser())
    rows: dict[tuple[int, str], Row] = {}
    read: set[tuple[int, str]] = set()
    damaged = []
    for name in sorted(source.names(), key=lambda one: one.endswith("metrics.json")):  # trial.json first
        found = next((match for pattern in PATTERNS if (match := pattern.fullmatch(name))), None)
        if found is None:
            continue
        key = (int(found["stage"]), found["id"])
        if key in read or (stages and key[0] not in stages):
            continue
        read.add(key)  # what is damaged is not made up for by another file of the same trial
        try:
            raw = json.loads(source.read(name))
            row = _of_trial(raw) if found["file"] == "trial.json" else _of_metrics(raw)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            damaged.append(name)
            continue
        rows[key] = {**row, "stage": key[0], "trial": key[1]}
    count = "1 file is" if len(damaged) == 1 else f"{len(damaged)} files are"
    if rows and damaged:
        warn(f"{count} damaged and left out, the first {damaged[0]}")
    if not rows:
        what = f"; {count} damaged, the first {damaged[0]}" if damaged else ""
        raise UserError(f"there are no results below {without_password(place)} (stageN/.../metrics.json){what}")
    return [rows[key] for key in sorted(rows, key=lambda one: (one[0], len(one[1]), one[1]))]


def _of_trial(raw: dict[str, Any]) -> Row:
    results = list(raw["results"])
    row: Row = {name: raw[name] for name in ("state", "value", "lower", "seeds", "why")}
    row |= {"species": raw["spec"]["species"], "algorithm": raw["spec"]["algorithm"]}
    row |= {name: raw[name] for name in ("objective", "seconds")}
    row["stage_passed"] = raw["state"] == "passed"
    row |= {
        name: fmean(float(one[name]) for one in results)
        for name in METRICS
        if results and results[0].get(name) is not None
    }
    return row | {str(path): value for path, value in raw["point"].items()}


def _of_metrics(raw: dict[str, Any]) -> Row:
    identity = dict(raw.get("identity") or {})
    row: Row = {name: raw.get(name) for name in ("species", "stage_name", *METRICS)}
    row |= {"algorithm": identity.get("algorithm"), "state": "passed" if raw["stage_passed"] else "budget"}
    row |= {"stage_passed": bool(raw["stage_passed"]), "value": raw.get("best_score"), "seeds": 1}
    success = raw.get("evaluation", {})
    row |= {name: success.get(name) for name in ("success", "success_low") if name in success}
    return row | {name: value for name, value in identity.items() if name.partition(".")[0] in SECTIONS and "." in name}


def hyperparameters(rows: Sequence[Row]) -> list[str]:
    """Keys of stages that differ between rows: what was searched."""
    names = {name for row in rows for name in row if "." in name and name.partition(".")[0] in SECTIONS}
    differ = [name for name in sorted(names) if len({json.dumps(row.get(name)) for row in rows}) > 1]
    return [name for name in differ if name.removeprefix("curriculum.") not in THRESHOLDS]


def write_table(rows: Sequence[Row], file: Path) -> None:
    """Write the table as CSV: what it is, hyperparameters, metrics, thresholds.

    Raises:
        OSError: it cannot be written.
    """
    names = {name for row in rows for name in row}
    more = [name for name in ("success", "success_low", "objective", "seconds", "why") if name in names]
    thresholds = [f"curriculum.{name}" for name in THRESHOLDS if f"curriculum.{name}" in names]
    columns = [*FIRST, *hyperparameters(rows), *METRICS, *more, *thresholds]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(columns)), lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, text.getvalue().encode())


def table_place(place: str) -> Path:
    """Where the table goes if nobody says."""
    return Path(TABLE) if "://" in place else Path(place).expanduser() / TABLE
