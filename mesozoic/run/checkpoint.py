"""Checkpoints: folders that are complete or absent, made of arrays and JSON, checked on reading."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mesozoic.errors import UserError
from mesozoic.files import sync_folder, write_bytes, write_json

FORMAT = 1
NAME = re.compile(r"step-(\d{12})$")


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], manifest: dict[str, Any]) -> Path:
    """Save nested dictionaries of arrays and JSON scalars as `folder/step-<step>`; older ones go.

    The checkpoint is written under another name, flushed and renamed, and only then are older ones
    removed: whatever happens on the way, a complete one is there.

    Raises:
        OSError: it could not be written (a full disk, say); earlier checkpoints are as they were.
    """
    arrays, scalars = _split(state)
    final = folder / f"step-{step:012d}"
    aside = folder / f".{final.name}.tmp"
    replaced = folder / f".{final.name}.old"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_bytes(aside / "arrays.npz", buffer.getvalue())
        write_json(aside / "state.json", scalars)
        hashes = {name: _digest(aside / name) for name in ("arrays.npz", "state.json")}
        write_json(aside / "manifest.json", {"format": FORMAT, "step": step, "sha256": hashes, **manifest})
        sync_folder(aside)
        shutil.rmtree(replaced, ignore_errors=True)
        if final.exists():  # the same step again, from a resumed run: its contents are the same
            os.rename(final, replaced)
        os.rename(aside, final)
        shutil.rmtree(replaced, ignore_errors=True)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        if replaced.exists() and not final.exists():
            os.rename(replaced, final)
        raise
    for old in checkpoints(folder):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)  # a mounted bucket may refuse for a moment; the next one tries again
    return final


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if NAME.match(path.name))


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a checkpoint whose files are all there and undamaged.

    Raises:
        UserError: a file is missing or does not match its checksum.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise UserError(f"checkpoint {path} has format {manifest['format']}, not {FORMAT}; use --no-resume")
        wrong = [name for name, digest in manifest["sha256"].items() if _digest(path / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from None
    if wrong:
        raise _damaged(path, f"{', '.join(wrong)} differs from its checksum")
    return manifest


def load_state(path: Path) -> dict[str, Any]:
    """The state of a checkpoint that `read_manifest` accepted.

    Raises:
        UserError: it cannot be read.
    """
    try:
        state: dict[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
        with np.load(path / "arrays.npz", allow_pickle=False) as archive:
            for name in archive.files:
                *parents, last = name.split("|")
                place = state
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[last] = archive[name]
        return state
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"checkpoint {path} is damaged ({why}); remove that folder or start over with --no-resume")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _split(state: dict[str, Any], prefix: str = "") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by path, and the rest of the nesting with the arrays left out."""
    arrays: dict[str, np.ndarray] = {}
    scalars: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, dict):
            deeper, scalars[key] = _split(value, f"{prefix}{key}|")
            arrays |= deeper
        elif isinstance(value, np.ndarray):
            arrays[prefix + key] = value
        else:
            scalars[key] = value
    return arrays, scalars
