"""Files: written so that a reader sees the old contents or the new, never a part; read within bounds."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes) -> None:
    """Write aside, flush to disk, rename over `path`."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
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


def open_plain(path: Path) -> int:
    """Open a plain file for reading; returns its descriptor.

    Raises:
        OSError: there is none, or what is there is no plain file: a pipe or a device would be read for ever.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return handle


def read_bytes(path: Path, limit: int) -> bytes:
    """The contents of a plain file of at most `limit` bytes.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is larger.
    """
    with os.fdopen(open_plain(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"larger than {limit:,} bytes")
    return data


def read_json(path: Path, limit: int = 16 << 20) -> Any:
    """The JSON in a plain file of at most `limit` bytes.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is larger, or no JSON, or nested too deeply.
    """
    return parse_json(read_bytes(path, limit))


def parse_json(data: bytes) -> Any:
    """Parse JSON that a stranger may have written.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
