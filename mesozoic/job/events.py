"""What the training process tells the process that watches it: lines of JSON through a pipe, never waited for."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

EVERY = 1.0
"""Seconds between two events about steps."""
MOST_WARNINGS = 100
"""Of one training that are kept."""


class Events:
    """The writing end. Events are dropped rather than waited for, so a watcher that is stuck stops nothing."""

    def __init__(self, handle: int) -> None:
        os.set_blocking(handle, False)
        self._handle = handle
        self._last = -EVERY

    def send(self, **facts: Any) -> None:
        """Say what is so from now on, for example `phase="evaluating"`."""
        line = (json.dumps(facts) + "\n").encode()
        if len(line) <= 4096:  # as long as this a pipe takes all of it or nothing
            with contextlib.suppress(OSError):
                os.write(self._handle, line)

    def step(self, step: int, steps_per_second: float) -> None:
        """Say how far training is, now and then."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self.send(step=step, speed=steps_per_second)


class Watched:
    """The reading end: the facts known so far, results and warnings, and when something was heard last."""

    def __init__(self, handle: int) -> None:
        os.set_blocking(handle, False)
        self._handle: int | None = handle
        self._rest = b""
        self.facts: dict[str, Any] = {}
        self.stages: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.heard = time.monotonic()

    @property
    def handle(self) -> int | None:
        """To be waited on; None once the other end is closed."""
        return self._handle

    def read(self) -> None:
        """Take in what there is, without waiting."""
        while self._handle is not None:
            try:
                data = os.read(self._handle, 65536)
            except BlockingIOError:
                return
            if not data:
                self.close()
                return
            self.heard = time.monotonic()
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(line)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None

    def _take(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):
            facts = json.loads(line)
            if isinstance(facts, dict):
                result = facts.pop("result", None)
                if result is not None:
                    self.stages.append(result)
                warning = facts.pop("warning", None)
                if warning is not None and len(self.warnings) < MOST_WARNINGS:
                    self.warnings.append(str(warning))
                self.facts |= facts
