"""Uniform samples for episode resets: a pure function of seed, stream, world and episode.

Philox is a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
3"): world and episode are part of its counter, so no generator state exists to be saved or lost, and
world 0 draws the same samples whether it runs alone or among thousands.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

AGE_EPISODE = 2**62
"""The episode number, never reached, under which the age of a world's first episode is drawn."""


class Stream(IntEnum):
    """Who draws. Evaluations never see an episode that training saw."""

    TRAIN = 0
    GATE = 1
    EVAL = 2
    CERTIFY = 3


def episode_uniforms(
    seed: int, stream: Stream, worlds: NDArray[np.int64], episodes: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Draw `[len(worlds), count]` float32 samples of [0, 1) for the given episodes of the given worlds."""
    rows = np.empty((len(worlds), count), dtype=np.float32)
    for row, world, episode in zip(rows, worlds, episodes, strict=True):
        bits = np.random.Philox(key=[seed, int(stream)], counter=[0, 0, int(episode), int(world)])
        row[:] = np.random.Generator(bits).random(count, dtype=np.float32)
    return rows
