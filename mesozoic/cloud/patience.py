"""Looking again until a time is over: pauses that grow, and a deadline."""

from __future__ import annotations

import time


class Patience:
    """A time limit for looking again and again.

    Attributes:
        seconds: how long in all; pauses: the first one, which doubles up to the longest.
    """

    def __init__(self, seconds: float, first: float = 2.0, longest: float = 60.0) -> None:
        self.seconds = seconds
        self._pause, self._longest = first, longest
        self._began, self._slept = time.monotonic(), 0.0

    @property
    def used(self) -> float:
        """Seconds gone by."""
        return max(time.monotonic() - self._began, self._slept)

    def wait(self) -> bool:
        """Pause; False, at once, if the time would be over by then."""
        if self.used + self._pause > self.seconds:
            return False
        time.sleep(self._pause)
        self._slept += self._pause
        self._pause = min(2 * self._pause, self._longest)
        return True
