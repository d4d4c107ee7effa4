"""Reading files that somebody else wrote, writing so that a reader sees the old contents or the new, and the cache."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown

TEXT_LIMIT = 1_000_000
"""Bytes. No text that people write for this package comes near it."""


def cache_folder() -> Path:
    """Where compiled programs are kept between runs: `$MESOZOIC_CACHE`, or `~/.cache/mesozoic`."""
    return Path(os.environ.get("MESOZOIC_CACHE", Path.home() / ".cache" / "mesozoic"))


class NotPlain(OSError):
    """A pipe, a device or a folder where a file should be: it would be read for ever, or not at all."""


def read_text(path: Path, limit: int = TEXT_LIMIT) -> str:
    """The text of a plain file of at most `limit` bytes, without the byte order mark that some editors write.

    Anything but a plain file (a pipe, a device, a folder) is refused before a byte of it is read.

    Raises:
        UserError: it is no such file, cannot be read, or is not UTF-8.
    """
    place = shown(str(path), 120)
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            data = file.read(limit + 1)
    except NotPlain:
        raise UserError(f"{place} is no plain file; put one there") from None
    except OSError as error:
        raise UserError(f"cannot read {place} ({error.strerror}); check the path") from None
    except ValueError as error:  # a path with a null character
        raise UserError(f"cannot read {place} ({error}); check the path") from None
    if len(data) > limit:
        raise UserError(f"{place} is longer than {limit:,} bytes; shorten it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{place} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and move it to `path` if the block succeeds; else delete it.

    Raises:
        UserError: nothing can be written there.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); give another path") from None
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
        NotPlain: something else is there. OSError: there is none, or it may not be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotPlain(errno.EINVAL, "not a plain file", str(path))
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


def uploads_late(folder: Path) -> bool:
    """Whether what is written there reaches its place some time later, as in a bucket that is mounted with FUSE."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    place = str(folder.resolve())
    kinds: dict[str, str] = {}
    for line in mounts:
        _, point, kind = line.split(" ")[:3]
        point = point.replace("\\040", " ").rstrip("/")
        if place == point or place.startswith(f"{point}/"):
            kinds[point] = kind  # a later mount on the same point hides an earlier one
    return bool(kinds) and kinds[max(kinds, key=len)].startswith("fuse")
