"""Metric sinks: each takes flat metrics with a step and puts them somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Sink(Protocol):
    """Takes metrics such as `{"stage1/reward/alive": 0.98}`."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record `metrics` at environment step `step`."""

    def close(self) -> None:
        """Flush and let go."""
