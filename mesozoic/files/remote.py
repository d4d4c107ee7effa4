"""A folder behind a URL (gs://, s3://, file://, ...): small files through fsspec, whole, and in bounded time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from mesozoic.errors import UserError, plain
from mesozoic.redact import redact, without_password

EMULATOR = "STORAGE_EMULATOR_HOST"
"""The setting of Google's storage clients that sends them elsewhere; no credentials go there."""
SECONDS = 180.0
"""For one request; the libraries below try again for a while themselves, and some of them for ever."""
MOVE_SECONDS = 1800.0
"""For a folder of trials with their checkpoints."""
T = TypeVar("T")


class Remote:
    """A folder at `url`.

    Raises:
        UserError: fsspec, or what it needs for this kind of URL, is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            import fsspec
        except ImportError:
            raise UserError(f"{self._shown()} needs fsspec; run: pip install fsspec gcsfs s3fs") from None
        options = {"token": "anon"} if self.url.startswith("gs://") and emulated() else {}
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url, **options)
        except (ImportError, ValueError) as error:
            raise UserError(f"cannot use {self._shown()}: {plain(redact(str(error)))[:200]}") from None

    def at(self, name: str) -> str:
        """The URL of a file in it."""
        return f"{self.url}/{name}"

    def read(self, name: str, largest: int) -> bytes | None:
        """What is in a file; None if there is none.

        Raises:
            UserError: it cannot be read, or is longer than `largest` bytes.
        """

        def get() -> bytes | None:
            try:
                return bytes(self._fs.cat_file(self._path(name), 0, largest + 1))
            except FileNotFoundError:
                return None

        data = self._bounded(get, "read", name)
        if data is not None and len(data) > largest:
            raise UserError(f"{self._shown(name)} is longer than {largest:,} bytes; look what it is, and remove it")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, in the place of one that is there already.

        Raises:
            UserError: it cannot be written.
        """

        def put() -> None:
            self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(self._path(name), data)

        self._bounded(put, "write", name)

    def exists(self, name: str) -> bool:
        """Whether there is such a file, by a look that remembers no earlier one.

        Raises:
            UserError: nobody answers.
        """

        def look() -> bool:
            self._fs.invalidate_cache()
            try:
                return bool(self._fs.info(self._path(name))["type"] == "file")
            except FileNotFoundError:
                return False

        return self._bounded(look, "look for", name)

    def folders(self, name: str) -> list[str]:
        """The names in a folder; none if there is no such folder.

        Raises:
            UserError: nobody answers.
        """

        def look() -> list[str]:
            self._fs.invalidate_cache()
            try:
                return sorted(str(one).rstrip("/").rpartition("/")[2] for one in self._fs.ls(self._path(name), False))
            except FileNotFoundError:
                return []

        return self._bounded(look, "list", name)

    def find(self, *patterns: str) -> list[str]:
        """Names of the files that match one of these patterns, such as `*/*.json`.

        Raises:
            UserError: nobody answers.
        """

        def look() -> list[str]:
            self._fs.invalidate_cache()
            found = [str(one) for pattern in patterns for one in self._fs.glob(self._path(pattern))]
            return sorted(one[len(self._root.rstrip("/")) :].lstrip("/") for one in found)

        return self._bounded(look, "list", "")

    def set_aside(self, name: str) -> str:
        """Give a folder another name, file by file; the URL of that name, empty if there is no such folder.

        Raises:
            UserError: it cannot be done in time; what was copied stays in both places until it is done again.
        """
        if not self.folders(name):
            return ""
        there = self.folders(name.rpartition("/")[0])
        last = name.rpartition("/")[2]
        number = next(one for one in range(1, 10**6) if f"{last}.old{one}" not in there)
        goal = f"{name}.old{number}"

        def move() -> None:
            begin = self._path(name)
            files = [str(one) for one in self._fs.find(begin)]
            for file in files:
                to = self._path(goal) + file[len(begin) :]
                self._fs.makedirs(to.rpartition("/")[0], exist_ok=True)
                self._fs.cp_file(file, to)
            for file in files:
                self._fs.rm_file(file)
            self._fs.invalidate_cache()

        self._bounded(move, "move aside", name, MOVE_SECONDS)
        return self.at(goal)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if name else self._root

    def _shown(self, name: str = "") -> str:
        return without_password(self.at(name) if name else self.url)

    def _bounded(self, work: Callable[[], T], what: str, name: str, seconds: float = SECONDS) -> T:
        """Do it in a thread that is left behind if it does not come back."""
        done: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="remote", daemon=True)
        thread.start()
        thread.join(seconds)
        if done:
            return done[0]
        said = "nobody answered"
        if failed:
            said = plain(redact((str(failed[0]).splitlines() or [""])[0]))[:200] or type(failed[0]).__name__
        raise UserError(f"cannot {what} {self._shown(name)} ({said}); check the URL, your login and the network")


def emulated() -> bool:
    """Whether something stands in for Google's storage; gcsfs, which asks when it is imported, is told."""
    elsewhere = bool(os.environ.get(EMULATOR, "").strip())
    if elsewhere:
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # else every request waits a minute
    return elsewhere


def as_url(bucket: str) -> str:
    """The URL of a bucket that is given as a name or as a URL."""
    return (bucket if "://" in bucket else f"gs://{bucket}").rstrip("/")
