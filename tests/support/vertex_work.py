"""The machines of the loopback Vertex server: every container is a process of this computer that really runs."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Container:
    """One container and the machines that it is run on, one after the other.

    A machine that is taken away sends SIGTERM, then SIGKILL after a grace; the next one begins in an empty folder.

    Args:
        words: what it runs.
        environment: all of it.
        folder: for its machines' disks and its log.
        restarts: after a machine is taken away, how many others it may get; a crash uses up one too.
        disk: variables that name a file on the machine's own disk: variable -> file name.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        restarts: int,
        disk: Mapping[str, str] | None = None,
        grace: float = 30.0,
    ) -> None:
        self.words, self._environment, self.folder = list(words), dict(environment), folder
        self._restarts, self._disk, self._grace = restarts, dict(disk or {}), grace
        self.machines = 0
        self.ends: list[int] = []
        """Exit code of every machine so far, negative for a signal."""
        self.code: int | None = None
        """How it ended for good; None: it goes on."""
        self._process: subprocess.Popen[bytes] | None = None
        self._kill_at: float | None = None
        self._leaving = False
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log.txt"

    @property
    def machine(self) -> Path:
        """The disk of the machine that it is on."""
        return self.folder / f"machine{self.machines}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def file(self, variable: str) -> Path:
        """The file on the machine's disk that a variable names."""
        return self.machine / self._disk[variable]

    def start(self) -> None:
        self.machines += 1
        home = self.machine / "home"
        home.mkdir(parents=True)
        own = {name: str(self.machine / file) for name, file in self._disk.items()}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.words,
                env={**self._environment, "HOME": str(home), **own},
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_like_a_container,
            )

    def look(self) -> None:
        """Take in what has happened: an end, a machine to replace, a grace that is over."""
        if self._process is None or self.code is not None:
            return
        ended = self._process.poll()
        if ended is None:
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                self._process.kill()
            return
        self.ends.append(ended)
        taken, self._kill_at = self._kill_at is not None, None
        if self._leaving or (ended == 0 and not taken) or self._restarts == 0:
            self.code = ended
            return
        self._restarts -= 1
        self.start()

    def take_machine(self, grace: float | None = None) -> None:
        """The machine is wanted by somebody who pays more."""
        self._terminate(self._grace if grace is None else grace)

    def leave(self) -> None:
        """End it, without another machine."""
        self._leaving = True
        if self._process is None:
            self.code = -signal.SIGTERM
        else:
            self._terminate(self._grace)

    def kill(self) -> None:
        """At once, and wait."""
        self._leaving = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _terminate(self, grace: float) -> None:
        if self._process is not None and self._kill_at is None and self._process.poll() is None:
            self._kill_at = time.monotonic() + grace
            self._process.send_signal(signal.SIGTERM)


def _like_a_container() -> None:
    """A session of its own, with the signals of a fresh process, that ends with the server."""
    import ctypes
    import os

    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def within(seconds: float, happened: Any) -> bool:
    """Wait until `happened()` is true, for that long at most."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
