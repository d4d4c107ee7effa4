"""What a copy from a rented machine may leave here: plain files and folders, with plain modes, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from mesozoic.errors import UserError, shown

FILE_BITS, FOLDER_BITS = 0o644, 0o755
"""The most that a mode may allow; what the sender denied to others stays denied."""
NAMED = 5
"""How many of the removed ones are named."""


def keep_plain(folder: Path) -> list[str]:
    """Remove every link, pipe, socket and device below `folder`, and give what stays a plain mode.

    A link is removed itself, and nothing is done to what it points to. Files can be read and written afterwards and
    not executed; the bits that lend a file's owner or group to whoever runs it are gone.

    Returns:
        What was removed, as paths below `folder`.

    Raises:
        UserError: something cannot be removed or changed, so the folder must not be used.
    """
    removed: list[str] = []
    folders = [folder]
    try:
        _restrict(str(folder), os.stat(folder).st_mode, FOLDER_BITS, 0o700)  # a copy takes on the sender's mode
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        _restrict(entry.path, mode, FOLDER_BITS, 0o700)
                        folders.append(Path(entry.path))
                    elif stat.S_ISREG(mode):
                        _restrict(entry.path, mode, FILE_BITS, 0o600)
                    else:
                        os.unlink(entry.path)
                        removed.append(os.path.relpath(entry.path, folder))
    except OSError as error:
        where = shown(str(error.filename or folder), 120)
        raise UserError(
            f"cannot look through what was copied to {shown(str(folder), 120)} ({error.strerror} at {where}); it may"
            " hold links to files of yours, so remove the folder and do not use it"
        ) from None
    return sorted(removed)


def removed_sentence(removed: Sequence[str]) -> str:
    """What a person is told of it."""
    names = ", ".join(shown(name, 60) for name in removed[:NAMED])
    more = f" and {len(removed) - NAMED} more" if len(removed) > NAMED else ""
    return f"warning: removed what is neither a plain file nor a folder (a link, a pipe, ...): {names}{more}"


def _restrict(path: str, mode: int, most: int, least: int) -> None:
    plain = stat.S_IMODE(mode) & most | least
    if plain != stat.S_IMODE(mode):
        os.chmod(path, plain)
