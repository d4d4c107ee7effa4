"""One worker of a local sweep: its share of the machine, and the trial process that it has, one after the other."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mesozoic.errors import plain
from mesozoic.job.processes import code_of, die_with_parent
from mesozoic.redact import redact
from mesozoic.sweep.engines.shares import VISIBLE, Share
from mesozoic.sweep.engines.study import Ticket
from mesozoic.sweep.line import LINE, TRIAL_ID

PACKAGE = Path(__file__).parents[2]
LOG = "log.txt"
"""In a trial's folder: what its process printed."""
Answer = Callable[[int, float], str | None]


class Worker:
    """Runs trials, one at a time.

    Attributes:
        ticket: what it works on; step, value: what that trial said last.
        failures: tickets that failed here in a row.
        ended: what the trial said of its end, once it has.
    """

    def __init__(self, share: Share) -> None:
        self.share = share
        self.ticket: Ticket | None = None
        self.step, self.value = 0, None
        self.failures: list[Ticket] = []
        self.ended: dict[str, Any] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._asked = False
        self._rest = b""
        self._log = Path()

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """Of the trial that it has."""
        return self._process

    @property
    def handle(self) -> socket.socket | None:
        """To be waited on."""
        return self._socket

    def start(self, ticket: Ticket, words: Sequence[str], folder: Path) -> None:
        """Begin with a ticket; its trial has a folder of its own in `folder`.

        Raises:
            OSError: the folder cannot be made.
        """
        self.ticket, self.ended, self._rest = ticket, None, b""
        self.step, self.value, self._asked = 0, None, False
        ours, theirs = socket.socketpair()
        place = folder / ticket.id
        place.mkdir(parents=True, exist_ok=True)
        self._log = place / LOG
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mesozoic", "sweep", "trial", *words, f"--output-dir={folder}"],
                env=self._environment(ticket, theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the launcher, which asks its trials to stop
                preexec_fn=self._in_child,
            )
        theirs.close()
        ours.setblocking(False)
        self._socket = ours

    def hear(self, answer: Answer) -> None:
        """Take in what the trial said, and answer its reports."""
        if self._socket is None:
            return
        with suppress(BlockingIOError, ConnectionError):
            while data := self._socket.recv(65536):
                self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "ended" in said:
                self.ended = said
                continue
            self.step, self.value = int(said["step"]), said["value"]
            why = answer(self.step, float(said["value"]))
            with suppress(OSError):  # it ended meanwhile
                self._socket.sendall(json.dumps({} if why is None else {"stop": why}).encode() + b"\n")

    def ask_to_stop(self) -> None:
        """Have the trial write its checkpoint and end; asked twice it would end at once, so it is asked once."""
        if self._process is not None and self._process.poll() is None and not self._asked:
            self._asked = True
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def is_done(self) -> bool:
        """Whether the process is over."""
        return self._process is not None and self._process.poll() is not None

    def outcome(self) -> tuple[str, float | None, float | None, str]:
        """How the trial that is over ended: state, value, lower bound, why. Frees the worker."""
        assert self._process is not None and self._socket is not None
        code = code_of(self._process.returncode)
        self._socket.close()
        self._process, self._socket, self.ticket = None, None, None
        if self.ended is not None:
            said = self.ended
            return str(said["ended"]), said["value"], said["lower"], str(said["why"])
        return "failed", None, None, f"its process ended with exit code {code}: {self._last_line()}"

    def _last_line(self) -> str:
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return "it left no log"
        return plain(redact(lines[-1]))[:300] if lines else "it printed nothing"

    def _environment(self, ticket: Ticket, handle: int) -> dict[str, str]:
        package = str(PACKAGE.parent)
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        more = {VISIBLE: self.share.gpu} if self.share.gpu else {}
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), LINE: str(handle), TRIAL_ID: ticket.id, **more}

    def _in_child(self) -> None:
        die_with_parent()
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, self.share.cores)
