"""Brings a job's run folder home from its bucket, also while it trains; again it copies only what has changed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mesozoic.cloud.pulled import MARK, claim
from mesozoic.cloud.vertex.bucket import BucketFolder, Storage
from mesozoic.errors import UserError, shown
from mesozoic.files import read_json, write_json

SEEN = ".downloaded.json"
"""Sizes and checksums of the files that were copied, by name."""
MOST_FILES = 100_000


def download(storage: Storage, folder: BucketFolder, target: Path, say: Callable[[str], None]) -> Path:
    """Copy a folder of a bucket here.

    Raises:
        UserError: there is nothing, a name leads out of the folder, or `target` holds another run.
    """
    found = {name: one for name, one in storage.files(folder).items() if not name.startswith(".mesozoic-")}
    if not found:
        raise UserError(f"{folder.url} is empty so far; 'mesozoic vertex status' says whether the job has begun")
    if len(found) > MOST_FILES:
        raise UserError(f"{folder.url} has {len(found):,} files; copy what you need with: gcloud storage cp")
    for name in found:
        if not _stays_below(name):
            raise UserError(f"{folder.url} has a file '{shown(name)}', whose name leads elsewhere; nothing was copied")
    with claim(target, folder.url, folder.path.rpartition("/")[2], say):
        known = _known(target / SEEN)
        new = {name: one for name, one in found.items() if known.get(name) != list(one) or not (target / name).exists()}
        say(f"copying {len(new)} of {len(found)} files of {folder.url} to {target}")
        for name in sorted(new):
            _fetch(storage, folder / name, target / name)
            known[name] = list(new[name])
            write_json(target / SEEN, known)
    return target


def _fetch(storage: Storage, place: BucketFolder, file: Path) -> None:
    """A file that is complete or as it was."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:100]}.")
    os.close(handle)
    try:
        storage.fetch(place, aside)
        os.replace(aside, file)
    except FileNotFoundError:  # replaced by a newer one since it was listed, as checkpoints are
        Path(aside).unlink(missing_ok=True)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _stays_below(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and parts[0] not in (MARK, SEEN)


def _known(file: Path) -> dict[str, list[object]]:
    try:
        found = read_json(file, 1 << 26)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
