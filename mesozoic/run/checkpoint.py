"""The checkpoints of a stage: each one file that is complete or absent, the last two kept."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mesozoic.errors import UserError
from mesozoic.files import aside_of, sync_folder, uploads_late
from mesozoic.run.checkpoint_file import Damaged, State, read_file, write_file

NAME = re.compile(r"step-(\d{12})\.checkpoint$")
KEPT = 2
"""Checkpoints that stay: if the newest is torn, the one before is whole."""
ARRIVAL_SECONDS, ARRIVAL_SPEED = 60.0, 5e6
"""A mounted bucket has taken a file after so many seconds, and one more for so many bytes: a slow network."""


class Stateful(Protocol):
    """A part of a run that can be saved and brought back."""

    def state(self) -> State:
        """Everything this part needs to go on bit for bit."""

    def set_state(self, state: State) -> None:
        """Go on from what `state()` returned."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was read whole.

    Attributes:
        damaged: newer ones that were not whole.
    """

    path: Path
    manifest: dict[str, Any]
    state: State
    damaged: tuple[Damaged, ...] = ()


class Checkpoints:
    """Saves and brings back the parts of one run.

    Args:
        folder: where the files lie; manifest: what every one of them says of the run.
        saved: where the run goes on; None if it begins.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], saved: Saved | None = None) -> None:
        self._folder, self._manifest, self._saved = folder, manifest, saved
        self._parts: dict[str, Stateful] = {}

    def add(self, name: str, part: Stateful) -> None:
        """Make `part` belong to all further checkpoints, and bring it back if the run goes on.

        Raises:
            UserError: the checkpoint is whole, but does not fit the part.
        """
        self._parts[name] = part
        if self._saved is None:
            return
        try:
            part.set_state(self._saved.state[name])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UserError(
                f"checkpoint {self._saved.path} does not fit this version ({name}: {error!r});"
                " start over with --no-resume"
            ) from None

    def save(self, step: int) -> None:
        """Save the state of every part; see `save_checkpoint`."""
        state = {name: part.state() for name, part in self._parts.items()}
        save_checkpoint(self._folder, step, state, self._manifest)


def save_checkpoint(folder: Path, step: int, state: State, manifest: dict[str, Any]) -> Path:
    """Save `state` as `folder/step-<step>.checkpoint`; the one before stays, all others go.

    The file is written under another name, flushed and put in place: whatever happens on the way, a complete
    checkpoint is there.

    Raises:
        OSError: it could not be written (a full disk, say); earlier checkpoints are as they were.
    """
    final = folder / f"step-{step:012d}.checkpoint"
    aside = aside_of(final)
    try:
        write_file(aside, state, {"step": step, **manifest})
        os.replace(aside, final)
        sync_folder(folder)
    finally:
        aside.unlink(missing_ok=True)
    _tidy(folder, final)
    return final


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files, oldest first."""
    return sorted(path for path in folder.glob("step-*") if NAME.match(path.name))


def newest(folder: Path) -> Saved | None:
    """The newest checkpoint that is whole; None if there are no checkpoints at all.

    Raises:
        UserError: none of those that are there is whole, or they are of another format.
    """
    damaged: list[Damaged] = []
    for path in reversed(checkpoints(folder)):
        try:
            return Saved(path, *read_file(path), tuple(damaged))
        except Damaged as error:
            damaged.append(error)
    if damaged:
        raise UserError(f"{damaged[0]}, and no other is whole; start over with --no-resume")
    if any(path.is_dir() for path in folder.glob("step-*")):
        raise UserError(
            f"the checkpoints in {folder} are folders, of an earlier version of mesozoic;"
            " finish that run with the version that began it, or start over with --no-resume"
        )
    return None


def read_manifest(path: Path) -> dict[str, Any]:
    """What a checkpoint says of its run; its arrays are not read, but their size is checked.

    Raises:
        Damaged: it cannot be read. UserError: it has another format.
    """
    return read_file(path, arrays=False)[0]


def load_state(path: Path) -> State:
    """The whole state in a checkpoint.

    Raises:
        Damaged: it cannot be read. UserError: it has another format.
    """
    return read_file(path)[1]


def _tidy(folder: Path, latest: Path) -> None:
    """Keep `latest` and the one before. What claims to be later is of a future that was not whole.

    Where files are uploaded late, removing one is felt at once, so training that saves faster than the network carries
    would never have a whole one up there: one that has had time to arrive stays, and the next that will have had.
    """
    files = checkpoints(folder)
    before = [path for path in files if path.name < latest.name]
    kept = {latest, *before[-(KEPT - 1) :]}
    if uploads_late(folder):
        arrived = [path for path in before if _has_arrived(path)]
        kept |= {*arrived[-1:], *[path for path in before if path not in arrived][:1]}
    for path in set(files) - kept:
        try:
            path.unlink()
        except OSError:
            continue  # a mounted bucket may refuse for a moment; the next one tries again


def _has_arrived(path: Path) -> bool:
    """Whether a file was written so long ago that a slow network has taken it."""
    try:
        facts = path.stat()
    except OSError:
        return False
    return time.time() - facts.st_mtime > ARRIVAL_SECONDS + facts.st_size / ARRIVAL_SPEED
