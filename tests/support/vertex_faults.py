"""What can go wrong with the loopback Vertex server, thing by thing, for as many requests as a test says."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

MESSAGES = {
    401: "Request had invalid authentication credentials.",
    403: "Permission 'aiplatform.customJobs.create' denied on resource (or it may not exist).",
    429: "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
}


@dataclass
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: "refuse" (with an HTTP error), "lose" (it is done, and the connection breaks before the answer), "hold"
            (it is done, and nobody ever answers), "silent" (nobody even reads it), "late" (the answer takes that many
            seconds).
        times: for how many requests; after: so many that it lets pass.
        method: "GET", "POST", or empty for all; part: what its path must contain.
    """

    kind: str
    status: int = 500
    times: int = 1
    after: int = 0
    method: str = ""
    part: str = ""
    seconds: float = 0.0
    message: str = ""


class Faults:
    """Those that are due.

    Attributes:
        met: `METHOD path` of the requests that met one.
        hidden_looks: how often a new job is missing from the lists after it was created.
        clock_ahead: seconds by which the server's clock is ahead of this machine's.
    """

    def __init__(self) -> None:
        self._due: list[Fault] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.met: list[str] = []
        self.hidden_looks = 0
        self.clock_ahead = 0.0

    def add(
        self,
        kind: str,
        *,
        status: int = 500,
        times: int = 1,
        after: int = 0,
        method: str = "",
        part: str = "",
        seconds: float = 0.0,
        message: str = "",
    ) -> None:
        """See `Fault`; the oldest that fits a request is taken."""
        assert kind in ("refuse", "lose", "hold", "silent", "late")
        with self._lock:
            message = message or MESSAGES.get(status, "")
            self._due.append(Fault(kind, status, times, after, method, part, seconds, message))

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._due.clear()

    def next(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets."""
        with self._lock:
            for fault in self._due:
                if fault.times > 0 and fault.method in ("", method) and fault.part in path:
                    if fault.after > 0:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    self.met.append(f"{method} {path}")
                    return fault
        return None

    def clock(self) -> float:
        """The server's time."""
        return time.time() + self.clock_ahead
