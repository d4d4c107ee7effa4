"""The slots of a machine that agents share: who has which, and the cores that come with it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from mesozoic.errors import UserError
from mesozoic.run.lock import Held, file_lock
from mesozoic.sweep.engines.shares import share_of


def slots_folder() -> Path:
    """The folder of this user's slots on this machine.

    Raises:
        UserError: another user of the machine has prepared it.
    """
    folder = Path(tempfile.gettempdir()) / f"mesozoic-slots-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(
            f"{folder} is not a folder that only you can write to, so somebody else may have put it there; remove it,"
            " or set TMPDIR to a folder of your own"
        )
    return folder


def claim_slot(slots: int, folder: Path) -> tuple[int, contextlib.ExitStack] | None:
    """The first slot of this machine that no living agent holds, and what lets go of it; None if all are held.

    Raises:
        UserError: something else than a plain file lies in its place.
    """
    for slot in range(slots):
        held = contextlib.ExitStack()
        try:
            held.enter_context(file_lock(folder / f"slot{slot}"))
        except Held:
            continue
        return slot, held
    return None


def pin(slot: int, slots: int) -> str:
    """Keep this process and its children on their share of the cores; says what was done.

    Without this every agent's physics starts a thread for every core, and the agents slow one another down.
    """
    if not hasattr(os, "sched_setaffinity"):
        return "all cores"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < (os.cpu_count() or 1):
        return f"the {len(cores)} cores that the scheduler gave"
    mine = share_of(cores, slot, slots)
    os.sched_setaffinity(0, mine)
    return f"{len(mine)} of {len(cores)} cores"
