"""The line between a trial and the engine that it serves; which one that is, its environment says.

Over the line of the local engine, a socket, go lines of JSON: the trial says `{"step": 4096, "value": 0.4}` after each
evaluation and is answered `{}` to go on or `{"stop": "why"}`; in the end it says `{"ended": "passed", ...}`.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from mesozoic.sweep.trial_record import TrialRecord

LINE = "MESOZOIC_TRIAL_LINE"
"""Environment variable: the descriptor of the socket to the local engine."""
TRIAL_ID = "MESOZOIC_TRIAL_ID"
"""Environment variable: the trial's number at the local engine."""
ANSWER_SECONDS = 60.0
"""For which a trial waits for its engine's answer; then it goes on."""
ORPHAN_SECONDS = 300.0
"""Given to a trial whose engine is gone: it saves a checkpoint and ends."""


class Line(Protocol):
    """What a trial tells its engine.

    Attributes:
        engine: its name; id: what it calls the trial, empty where there is no engine.
    """

    engine: str
    id: str

    def begun(self, record: TrialRecord) -> None:
        """Say what earlier processes of the trial have reported, where the engine forgets it with the process."""

    def report(self, step: int, value: float) -> str | None:
        """Say what the trial is worth by now; the answer is a reason to stop, or None."""

    def ended(self, record: TrialRecord) -> None:
        """Say how it ended."""


class NoLine(Line):
    """There is no engine: the trial was started by hand."""

    engine, id = "none", ""

    def begun(self, record: TrialRecord) -> None:
        return None

    def report(self, step: int, value: float) -> str | None:
        return None

    def ended(self, record: TrialRecord) -> None:
        """Nobody waits for it."""


class LocalLine(Line):
    """To the local engine on the same machine; if that is gone, the trial ends itself, as pre-empted.

    Args:
        handle: descriptor of the socket.
    """

    engine = "local"

    def __init__(self, handle: int, trial_id: str) -> None:
        self.id = trial_id
        self._socket = socket.socket(fileno=handle)
        self._over = False
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._listen, name="engine", daemon=True).start()

    def begun(self, record: TrialRecord) -> None:
        """It has kept the reports."""

    def report(self, step: int, value: float) -> str | None:
        if not self._send(step=step, value=value):
            return None
        try:
            stop = self._answers.get(timeout=ANSWER_SECONDS).get("stop")
        except queue.Empty:
            return None
        return None if stop is None else str(stop)

    def ended(self, record: TrialRecord) -> None:
        self._over = True
        self._send(ended=record.state, why=record.why, value=record.value, lower=record.lower)

    def _send(self, **facts: Any) -> bool:
        try:
            self._socket.sendall(json.dumps(facts).encode() + b"\n")
        except OSError:
            return False
        return True

    def _listen(self) -> None:
        with suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for line in lines:
                self._answers.put(json.loads(line))
        self._answers.put({})  # nobody will answer any more
        if self._over:
            return
        os.kill(os.getpid(), signal.SIGTERM)
        last_moment = threading.Timer(ORPHAN_SECONDS, os._exit, (128 + signal.SIGTERM,))
        last_moment.daemon = True
        last_moment.start()


def line_of(environment: Mapping[str, str]) -> Line:
    """The line to the engine that started this process."""
    if environment.get(LINE, "").isdecimal():
        return LocalLine(int(environment[LINE]), environment.get(TRIAL_ID, ""))
    return NoLine()
