"""Finds what trials and trainings came to, wherever they lie: a folder, gs://, s3://, ...

One for each of these, whichever is found first in a folder:

| file | what it is |
| --- | --- |
| `stageN/ID/trial.json` | a trial of a sweep |
| `stageN/ID/metrics.json` | a trial of earlier systems |
| `stageN/metrics.json` | a stage of a run or a curriculum |
| `ID/stageN/metrics.json` | runs side by side |
| `ID/trial.json` | trials as the agents of a W&B sweep leave them, whose record says the stage |
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError
from mesozoic.files import read_bytes
from mesozoic.files.remote import Remote

LARGEST = 16 << 20
"""Bytes of one file."""
PATTERNS = (
    re.compile(r"stage(?P<stage>[1-9][0-9]?)/(?P<id>[^/]+)/(?P<file>trial\.json|metrics\.json)"),
    re.compile(r"(?P<id>)stage(?P<stage>[1-9][0-9]?)/(?P<file>metrics\.json)"),
    re.compile(r"(?P<id>[^/]+)/stage(?P<stage>[1-9][0-9]?)/(?P<file>metrics\.json)"),
    re.compile(r"(?P<id>(?!stage[1-9])[^/]+)/(?P<stage>)(?P<file>trial\.json)"),
)
WHERE = ("*/*.json", "*/*/*.json")
"""Where these are."""


@dataclass(frozen=True)
class Finished:
    """What one file says.

    Attributes:
        trial: name of the trial or run; empty of a single one.
        file: where it was found, below the place; is_trial: of a sweep, so it is a trial record.
        says: its table; training: of a trial, the `metrics.json` of its first seed, empty while that is not over.
    """

    stage: int
    trial: str
    file: str
    is_trial: bool
    says: dict[str, Any]
    training: dict[str, Any]


def finished_below(place: str, stages: Sequence[int] | None = None) -> tuple[list[Finished], list[str]]:
    """All that is over below a folder or URL, by stage and name; and the files that are damaged.

    Args:
        stages: only these.

    Raises:
        UserError: there is no such folder, or nobody answers.
    """
    if "://" not in place and not Path(place).expanduser().is_dir():
        raise UserError(f"{place} is no folder; give the --output-dir of a sweep or of a curriculum, or a URL")
    source = Remote(place) if "://" in place else _Folder(Path(place).expanduser())
    found: dict[tuple[int, str], Finished] = {}
    read: set[tuple[int, str]] = set()
    damaged = []
    for name in sorted(source.find(*WHERE), key=lambda one: one.endswith("metrics.json")):  # trial.json first
        match = next((match for pattern in PATTERNS if (match := pattern.fullmatch(name))), None)
        if match is None:
            continue
        says = {} if match["stage"] else _table(source, name)
        number = match["stage"] or _stage_of(says)
        if not number:
            damaged.append(name)
            continue
        key = (int(number), match["id"])
        if key in read or (stages and key[0] not in stages):
            continue
        read.add(key)  # what is damaged is not made up for by another file of the same trial
        is_trial = match["file"] == "trial.json"
        says = says or _table(source, name)
        if says is None:
            damaged.append(name)
            continue
        training: dict[str, Any] | None = {}
        if is_trial and says.get("results"):
            first = f"{name.removesuffix('trial.json')}seed0/stage{key[0]}/metrics.json"
            training = _table(source, first)
            damaged += [first] if training is None else []
        found[key] = Finished(*key, name, is_trial, says, training or {})
    return [found[key] for key in sorted(found, key=lambda one: (one[0], len(one[1]), one[1]))], damaged


def _stage_of(record: dict[str, Any] | None) -> str:
    """The stage of a trial by its record; empty if that does not say it."""
    spec = (record or {}).get("spec")
    found = str(spec.get("stage")) if isinstance(spec, dict) else ""
    return found if re.fullmatch("[1-9][0-9]?", found) else ""


def _table(source: _Folder | Remote, name: str) -> dict[str, Any] | None:
    """What a file holds: nothing if it was removed, to save space for example; None if it is damaged."""
    try:
        data = source.read(name, LARGEST)
        found = {} if data is None else json.loads(data)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


class _Folder:
    """Files below a folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, *patterns: str) -> list[str]:
        return sorted(str(one.relative_to(self._path)) for pattern in patterns for one in self._path.glob(pattern))

    def read(self, name: str, largest: int) -> bytes | None:
        try:
            return read_bytes(self._path / name, largest)
        except FileNotFoundError:
            return None
