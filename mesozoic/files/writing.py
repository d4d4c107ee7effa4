"""Writing files so that a reader sees the old contents or the new, and nothing half written is left for ever."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown

LONGEST = 200
"""Bytes of a name that are kept in a temporary one; file systems take 255."""
ABANDONED = 86400.0
"""Seconds after which nobody is still writing a file, where the process that began it cannot be asked for."""
ASIDE = re.compile(r"\.(?P<name>.+)\.(?P<node>[0-9a-f]{6})-(?P<pid>[0-9]{1,10})\.tmp(\.[A-Za-z0-9]{1,8})?", re.DOTALL)


def aside_of(path: Path, suffix: str = "") -> Path:
    """The temporary name beside `path` that this process writes under; `suffix` is its end.

    It says whose it is, so that `clear_asides` can remove what a killed process left.
    """
    return path.with_name(f".{_kept(path.name)}.{_node()}-{os.getpid()}.tmp{suffix}")


def clear_asides(folder: Path, name: str | None = None) -> None:
    """Remove what processes that are no more left half written in `folder`; of another machine's, what is a day old.

    Args:
        name: only what was to become a file of that name.
    """
    try:
        entries = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".")]
    except OSError:  # there is no such folder, or it may not be listed
        return
    for entry in entries:
        found = ASIDE.fullmatch(entry)
        if found is None or (name is not None and found["name"] != _kept(name)):
            continue
        try:
            ours = found["node"] == _node() and os.name != "nt"
            if _gone(int(found["pid"])) if ours else _old(folder / entry):
                (folder / entry).unlink()
        except OSError:
            continue  # another process was faster, or the disk is read-only now: it harms nobody


def write_bytes(path: Path, data: bytes) -> None:
    """Write aside, flush to disk, rename over `path`."""
    clear_asides(path.parent, path.name)
    aside = aside_of(path)
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and move it to `path` if the block succeeds; else delete it.

    Raises:
        UserError: nothing can be written there.
    """
    aside = aside_of(path, path.suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_asides(path.parent, path.name)
        aside.touch()
    except OSError as error:
        raise UserError(f"cannot write {shown(str(path), 120)} ({error.strerror}); give another path") from None
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def sync_folder(path: Path) -> None:
    """Flush a folder's own entries (renames) to disk; file systems that cannot do that have nothing to flush."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EBADF):
            raise
    finally:
        os.close(handle)


def _kept(name: str) -> str:
    """A name as a temporary one holds it: as it is, or a digest of one that would become too long."""
    data = os.fsencode(name)
    return name if len(data) <= LONGEST else hashlib.sha256(data).hexdigest()


def _node() -> str:
    """This machine in six letters: process numbers of another one that shares the folder mean nothing here."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _gone(pid: int) -> bool:
    """Whether no process of this machine has that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's process
        return False
    return False


def _old(path: Path) -> bool:
    return time.time() - path.lstat().st_mtime > ABANDONED
