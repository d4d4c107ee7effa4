"""How episodes begin on the host: drawn, placed and seen; in place, or ahead of time on an engine of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.sim.engine import Engine
from mesozoic.sim.samples import Draws, Stream, episode_uniforms
from mesozoic.task import TaskState

HEADING_SAMPLE = 0
"""Which of the samples of a reset is the heading, in turns (see `task.reset`)."""


class Beginning(NamedTuple):
    """The first task state and `observation` [m, nobs] of the episodes of `m` worlds."""

    state: TaskState
    observation: NDArray[np.float32]


@dataclass(frozen=True)
class Episodes:
    """The episodes of a stage: a function of seed, stream, world and number.

    Attributes:
        draws: of every world of an engine.
        heading: radians; every episode begins with it instead of a random one.
    """

    env: EnvSection
    draws: Draws
    stream: Stream
    heading: float | None = None

    def begin(self, engine: Engine, mask: NDArray[np.bool_], number: NDArray[np.int64]) -> Beginning:
        """Place the worlds of `mask` [n] of an engine where their episodes `number` [n] begin."""
        worlds, anatomy = np.flatnonzero(mask), engine.anatomy
        count = task.uniforms_per_reset(anatomy, self.env)
        seeds, as_worlds = self.draws
        samples = episode_uniforms(seeds[worlds], self.stream, as_worlds[worlds], number[worlds], count)
        if self.heading is not None:
            samples[:, HEADING_SAMPLE] = self.heading / (2.0 * math.pi) % 1.0
        state, qpos, qvel = task.reset(np, anatomy, self.env, samples)
        engine.reset(mask, qpos, qvel, task.model_fields(self.env, samples))
        return Beginning(*task.begin(np, anatomy, self.env, state, engine.sensed(mask)))


class Ahead:
    """Prepares the next episode of every world on an engine of its own, many at once.

    The next episode is known before the present one ends. A reset is then a copy; the forward dynamics that it
    needs is done for all worlds together, as soon as one of them needs a second episode. The outcome has the
    same bits as a reset in place.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._number = np.full(engine.n, -1, dtype=np.int64)
        """Of the episode that waits in each world; -1: none."""
        self._waiting: Beginning | None = None

    def forget(self, mask: NDArray[np.bool_]) -> None:
        """What waits in the worlds of `mask` [n] is of no use any more."""
        self._number[mask] = -1

    def begin(
        self, episodes: Episodes, engine: Engine, mask: NDArray[np.bool_], number: NDArray[np.int64]
    ) -> Beginning:
        """As `Episodes.begin`; outside of `mask` [n], `number` [n] is of the episodes that run."""
        if (mask & (self._number != number)).any():
            self._prepare(episodes, np.where(mask, number, number + 1))
        assert self._waiting is not None
        engine.set_state(self._engine.state(mask), mask)
        state, observation = self._waiting
        return Beginning(TaskState(*(part[mask] for part in state)), observation[mask])

    def _prepare(self, episodes: Episodes, number: NDArray[np.int64]) -> None:
        stale = self._number != number
        fresh = episodes.begin(self._engine, stale, number)
        self._waiting = fresh if self._waiting is None else put(self._waiting, fresh, stale)
        self._number = number


def put(old: Beginning, new: Beginning, mask: NDArray[np.bool_]) -> Beginning:
    """`old` [n] with `new` [m] in the worlds of `mask` [n]; neither is changed."""
    state = TaskState(*(_put(a, b, mask) for a, b in zip(old.state, new.state, strict=True)))
    return Beginning(state, _put(old.observation, new.observation, mask))


def _put(old: NDArray, new: NDArray, mask: NDArray[np.bool_]) -> NDArray:
    merged = old.copy()
    merged[mask] = new
    return merged
