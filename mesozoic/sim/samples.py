"""Uniform samples for episode resets: a pure function of seed, stream, world and episode.

Philox is a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
3"): world and episode are part of its counter, so no generator state exists to be saved or lost, and
world 0 draws the same samples whether it runs alone or among thousands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError, shown

AGE_EPISODE = 2**62
"""The episode number, never reached, under which the age of a world's first episode is drawn."""


WHOLE_SEEDS = 2**63
"""Seeds below stand for themselves in the generator's key."""


class Stream(IntEnum):
    """Who draws. Evaluations never see an episode that training saw."""

    TRAIN = 0
    GATE = 1
    EVAL = 2
    CERTIFY = 3


def key_word(seed: int) -> int:
    """The half of the generator's key, below 2^64, that stands for a seed of any size.

    Those below `WHOLE_SEEDS` are themselves; a larger one is a hash of all its digits, in the upper half of the range.

    Raises:
        UserError: it is negative.
    """
    if seed < 0:
        raise UserError(f"seed {shown(str(seed))} is out of range; give 0 or more")
    if seed < WHOLE_SEEDS:
        return int(seed)
    digits = seed.to_bytes((seed.bit_length() + 7) // 8, "little")
    return WHOLE_SEEDS | int.from_bytes(hashlib.blake2b(digits, digest_size=8).digest(), "little")


class Draws(NamedTuple):
    """From which seed each of `n` worlds draws its episodes, and as which world of that seed.

    Attributes:
        key [n] uint64: the seed, see `key_word`; world [n] int64.
    """

    key: NDArray[np.uint64]
    world: NDArray[np.int64]


def draws_of(seed: int | Sequence[int], n: int) -> Draws:
    """World i draws as world i of `seed`, or, where there is a seed for each of the `n` worlds, as world 0 of its own.

    Raises:
        UserError: a seed is negative, or there are not `n` of them.
    """
    if isinstance(seed, int):
        return Draws(np.full(n, key_word(seed), dtype=np.uint64), np.arange(n))
    if len(seed) != n:
        raise UserError(f"{len(seed)} seeds do not fit {n} worlds; give one for each, or a single one for all")
    return Draws(np.array([key_word(one) for one in seed], dtype=np.uint64), np.zeros(n, dtype=np.int64))


def episode_uniforms(
    seed: int | NDArray[np.uint64],
    stream: Stream,
    worlds: NDArray[np.int64],
    episodes: NDArray[np.int64],
    count: int,
) -> NDArray[np.float32]:
    """Draw `[len(worlds), count]` float32 samples of [0, 1) for the given episodes of the given worlds.

    `seed` is that of all of them, or the `key_word` of each.
    """
    rows = np.empty((len(worlds), count), dtype=np.float32)
    words = np.full(len(worlds), key_word(seed), dtype=np.uint64) if isinstance(seed, int) else seed
    for row, word, world, episode in zip(rows, words, worlds, episodes, strict=True):
        key = np.array([word, int(stream)], dtype=np.uint64)  # of plain integers NumPy would make floats
        bits = np.random.Philox(key=key, counter=[0, 0, int(episode), int(world)])
        row[:] = np.random.Generator(bits).random(count, dtype=np.float32)
    return rows
