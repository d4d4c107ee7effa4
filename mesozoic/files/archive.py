"""Reads members of a zip that somebody else made: bounded in number, names and size before any of it is unpacked."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mesozoic.errors import shown, written
from mesozoic.files.reading import open_plain

MOST_MEMBERS = 1000
LARGEST_DIRECTORY = 1 << 20
"""Bytes of the list of members, and of what is unpacked at once."""
ALWAYS, RATIO, NEVER = 32 << 20, 16, 4 << 30
"""Bytes that may be unpacked from any file; times the size of the file that may be; bytes that may never be.
Weights hardly get smaller by packing, so what unpacks to sixteen times its size was made to fill the memory."""
NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
LONGEST_NAME = 200


def read_members(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Name -> contents of the wanted members of a zip; no other is unpacked.

    Raises:
        OSError: it cannot be read, or is no plain file.
        ValueError: it is no zip, is damaged, or is larger than anything of its kind.
    """
    with os.fdopen(open_plain(path), "rb") as file:
        try:
            with zipfile.ZipFile(_Portions(file)) as archive:
                members = _checked(archive, wanted, os.fstat(file.fileno()).st_size)
                return {one.filename: _unpacked(archive, one) for one in members}
        except (OSError, ValueError):
            raise
        except Exception as error:  # a damaged zip raises anything: zlib.error, RuntimeError, NotImplementedError, ...
            raise ValueError(shown(str(error) or type(error).__name__, 100)) from None


class _Portions:
    """A file that hands over little at once, so that a zip's directory cannot fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int | None = -1) -> bytes:
        """At most `LARGEST_DIRECTORY` bytes; more are refused."""
        most = LARGEST_DIRECTORY + 1 if size is None or size < 0 else size
        if most > LARGEST_DIRECTORY and len(data := self._file.read(LARGEST_DIRECTORY + 1)) > LARGEST_DIRECTORY:
            raise ValueError("its list of members is too long")
        return data if most > LARGEST_DIRECTORY else self._file.read(most)


def _checked(archive: zipfile.ZipFile, wanted: Callable[[str], bool], size: int) -> list[zipfile.ZipInfo]:
    everything = archive.infolist()
    if len(everything) > MOST_MEMBERS:
        raise ValueError(f"it has {len(everything):,} members, more than {MOST_MEMBERS:,}")
    names = [one.filename for one in everything]
    for name in names:
        if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
            raise ValueError(f"it has a member named {shown(written(name), 60)}")
    if len(set(names)) < len(names):
        raise ValueError("two of its members have one name")
    members = [one for one in everything if wanted(one.filename)]
    total = sum(one.file_size for one in members)
    if total > min(NEVER, max(ALWAYS, RATIO * size)):
        raise ValueError(f"it would unpack to {total:,} bytes, {total // max(size, 1):,} times its size")
    for one in members:
        mode = one.external_attr >> 16
        if one.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
            raise ValueError(f"its member {one.filename} is no plain file")
    return members


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The contents of a member, of the size that the directory states and no more."""
    data = bytearray()
    with archive.open(member) as file:
        while part := file.read(LARGEST_DIRECTORY):
            data += part
            if len(data) > member.file_size:
                raise ValueError(f"its member {member.filename} is longer than it says")
    if len(data) != member.file_size:
        raise ValueError(f"its member {member.filename} is shorter than it says")
    return bytes(data)
