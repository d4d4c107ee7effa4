"""Poses as few bytes: 1 mm, 0.2 mm of height and 0.1 mrad, each column as 16-bit steps, low and high bytes apart.

`web/src/replay/motion.ts` reads it. Ten seconds of an animal are 12 kB when they are packed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FINEST = (1e-3, 1e-3, 2e-4)
"""Metres, of the place of the torso; what else there is has `FINE`."""
FINE = 1e-4
LARGEST = 32767


class Motion(NamedTuple):
    """Columns of one recording.

    Attributes:
        first, unit: [nq] value of each column at the first pose, and what one of its steps is worth.
        data: low bytes of all steps, column by column [nq, T], then their high bytes.
    """

    first: list[float]
    unit: list[float]
    data: bytes


def pack_motion(qpos: NDArray[Any]) -> Motion:
    """Poses [T+1, nq], within half a unit each: rounding does not add up.

    The unit of a column that moves too far in one step (32 m, say) is larger.
    """
    values = np.asarray(qpos, dtype=np.float64)
    first = values[0]
    unit = np.full(values.shape[1], FINE)
    unit[: len(FINEST)] = FINEST[: len(unit)]
    if len(values) > 1:
        unit = np.maximum(unit, np.abs(np.diff(values, axis=0)).max(axis=0) / (LARGEST - 1))
    whole = np.rint((values - first) / unit).astype(np.int64)
    steps = np.diff(whole, axis=0).T.astype("<i2")
    pairs = np.ascontiguousarray(steps).view(np.uint8).reshape(-1, 2)
    return Motion(first.tolist(), unit.tolist(), pairs[:, 0].tobytes() + pairs[:, 1].tobytes())


def unpack_motion(motion: Motion, poses: int) -> NDArray[np.float64]:
    """The poses [T+1, nq] again, as the page does it."""
    half = len(motion.data) // 2
    raw = np.frombuffer(motion.data, np.uint8)
    steps = np.stack([raw[:half], raw[half:]], axis=1).reshape(-1).view("<i2").astype(np.int64)
    whole = np.cumsum(steps.reshape(len(motion.first), poses - 1), axis=1)
    whole = np.concatenate([np.zeros((len(motion.first), 1), dtype=np.int64), whole], axis=1)
    return np.array(motion.first) + whole.T * np.array(motion.unit)
