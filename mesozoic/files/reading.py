"""Reading files that somebody else wrote: plain files only, of bounded size and depth."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown, written
from mesozoic.files.formats import parse_json

TEXT_LIMIT = 1_000_000
"""Bytes. No text that people write for this package comes near it."""
JSON_LIMIT = 16 << 20
"""Bytes of what this program itself wrote."""


class NotPlain(OSError):
    """A pipe or a device where a file should be: it would be waited for, or read for ever."""


def open_plain(path: Path) -> int:
    """Open a plain file for reading; returns its descriptor.

    Raises:
        NotPlain: a pipe or a device is there. OSError: nothing is there, a folder, or what may not be read.
        ValueError: the path holds a null character.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    raise NotPlain(errno.EINVAL, "not a plain file", str(path))


def read_bytes(path: Path, limit: int) -> bytes:
    """The contents of a plain file of at most `limit` bytes.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is larger.
    """
    with os.fdopen(open_plain(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is longer than {limit:,} bytes")
    return data


def sha256_of(path: Path) -> str:
    """The SHA-256 of a plain file of any size, in hexadecimal digits.

    Raises:
        OSError: it cannot be read, or is no plain file.
    """
    with os.fdopen(open_plain(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, limit: int = TEXT_LIMIT) -> str:
    """The text of a plain file of at most `limit` bytes, without the byte order mark that some editors write.

    Raises:
        UserError: it is no plain file, cannot be read, is longer, or is not UTF-8.
    """
    place = shown(str(path), 120)
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except (NotPlain, IsADirectoryError):
        raise UserError(f"{place} is no plain file; put one there") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{place} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read {place} ({error.strerror}); check the path") from None
    except ValueError as error:  # too long, or a path with a null character
        raise UserError(f"cannot read {place}: {error}; give another file") from None


def read_json(path: Path, limit: int = JSON_LIMIT) -> Any:
    """The JSON in a plain file of at most `limit` bytes.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is larger, or no JSON, or nested too deeply.
    """
    return parse_json(read_bytes(path, limit))


def cause(error: BaseException) -> str:
    """What a failure to read says, fit for the brackets of a sentence: short, one line, and without the path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError) and error.args:
        return f"it lacks {shown(written(error.args[0]), 60)}"
    return shown(str(error) or type(error).__name__, 100)
