"""Finds what trials and trainings came to, wherever they lie: a folder, gs://, s3://, ...

One for each of these, whichever is found first in a folder:

| file | what it is |
| --- | --- |
| `stageN/ID/trial.json` | a trial of a sweep |
| `stageN/ID/metrics.json` | a trial of earlier systems |
| `stageN/metrics.json` | a stage of a run or a curriculum |
| `ID/stageN/metrics.json` | runs side by side, as the agents of a W&B sweep leave them |
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, plain
from mesozoic.files import read_bytes
from mesozoic.redact import redact, without_password

LARGEST = 16 << 20
"""Bytes of one file."""
PATTERNS = (
    re.compile(r"stage(?P<stage>[1-9][0-9]?)/(?P<id>[^/]+)/(?P<file>trial\.json|metrics\.json)"),
    re.compile(r"(?P<id>)stage(?P<stage>[1-9][0-9]?)/(?P<file>metrics\.json)"),
    re.compile(r"(?P<id>[^/]+)/stage(?P<stage>[1-9][0-9]?)/(?P<file>metrics\.json)"),
)


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
    source = _Url(place) if "://" in place else _Folder(Path(place).expanduser())
    found: dict[tuple[int, str], Finished] = {}
    damaged = []
    for name in sorted(source.names(), key=lambda one: one.endswith("metrics.json")):  # trial.json first
        match = next((match for pattern in PATTERNS if (match := pattern.fullmatch(name))), None)
        if match is None:
            continue
        key = (int(match["stage"]), match["id"])
        if key in found or (stages and key[0] not in stages):
            continue
        is_trial = match["file"] == "trial.json"
        says = _table(source, name)
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


def _table(source: _Folder | _Url, name: str) -> dict[str, Any] | None:
    """What a file holds: nothing if it was removed, to save space for example; None if it is damaged."""
    try:
        found = json.loads(source.read(name))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


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
