"""Running mean and variance of observations, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STD_FLOOR = 0.02
"""Observations are of order one already; an entry that hardly varies yet is not blown up beyond this."""
CLIP = 10.0
"""Normalised observations are cut off here."""


class Normaliser:
    """Mean and variance of every observation entry, merged batch by batch (Chan et al. 1979).

    Args:
        size: entries of an observation.
        standardise: [size] bool, entries to be shifted and scaled; the others pass as they are.
    """

    def __init__(self, size: int, standardise: NDArray[np.bool_] | None = None) -> None:
        self._standardise = np.ones(size, dtype=bool) if standardise is None else standardise
        self.count = 0.0
        self.mean = np.zeros(size)
        self.var = np.ones(size)

    def update(self, batch: NDArray[np.float32]) -> None:
        """Merge a batch [m, size]."""
        data = batch.astype(np.float64)
        count, mean, var = float(len(data)), data.mean(axis=0), data.var(axis=0)
        total = self.count + count
        delta = mean - self.mean
        spread = self.var * self.count + var * count + delta**2 * self.count * count / total
        self.mean = self.mean + delta * count / total
        self.var = spread / total
        self.count = total

    def shift_and_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and floored standard deviation, float32 [size]; 0 and 1 where nothing is standardised."""
        mean = np.where(self._standardise, self.mean, 0.0)
        std = np.where(self._standardise, np.maximum(np.sqrt(self.var), STD_FLOOR), 1.0)
        return mean.astype(np.float32), std.astype(np.float32)

    def state(self) -> dict[str, NDArray[np.float64] | float]:
        return {"count": self.count, "mean": self.mean.copy(), "var": self.var.copy()}

    def set_state(self, state: dict) -> None:
        self.count = float(state["count"])
        self.mean, self.var = np.array(state["mean"]), np.array(state["var"])
