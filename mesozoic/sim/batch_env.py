"""The batched environment on the host: an engine and a task that turn actions into transitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.sim.beginnings import Ahead, Beginning, Episodes, put
from mesozoic.sim.engine import Engine, State
from mesozoic.sim.samples import AGE_EPISODE, Draws, Stream, draws_of, episode_uniforms
from mesozoic.task import Sensed, Transition


class BatchEnv:
    """The worlds of an engine, as one stage of its animal.

    Args:
        engine: moves the worlds; env: the stage's task.
        seed: with `stream`, decides every episode; world i draws the same episodes for any `n`.
        auto_reset: begin a new episode in the step that ends one.
        random_age: start the first episodes at different ages, so that they do not all end together.
        heading: radians; every episode begins with it instead of a random one.
        ahead: an engine like `engine`, on which the next episodes are prepared; without it, they begin in place.
            The outcome is the same, and training is faster with it.
    """

    def __init__(
        self,
        engine: Engine,
        env: EnvSection,
        seed: int,
        stream: Stream = Stream.TRAIN,
        auto_reset: bool = True,
        random_age: bool = False,
        heading: float | None = None,
        ahead: Engine | None = None,
    ) -> None:
        self.engine = engine
        self.anatomy, self.n = engine.anatomy, engine.n
        task.check_stage(self.anatomy, env)
        self.env = env
        self.observation_size = task.observation_size(self.anatomy)
        self.action_size = self.anatomy.nu
        self._episodes = Episodes(env, draws_of(seed, self.n), stream, heading)
        self._ahead = None if ahead is None else Ahead(ahead)
        self._auto_reset, self._random_age = auto_reset, random_age
        self.ramp: NDArray[np.float32] | np.float32 = np.float32(1.0)
        """Share of the weights of locomotion and behaviour terms that counts, for ramps in training."""
        self._episode = np.full(self.n, -1, dtype=np.int64)
        blank = np.zeros((self.n, task.uniforms_per_reset(self.anatomy, env)), dtype=np.float32)
        self.task_state, _, _ = task.reset(np, self.anatomy, env, blank)
        self._observation = np.zeros((self.n, self.observation_size), dtype=np.float32)

    @property
    def observation(self) -> NDArray[np.float32]:
        """The current observation [n, nobs]."""
        return self._observation

    def restart(self, seed: int | Sequence[int], mask: NDArray[np.bool_] | None = None) -> None:
        """Take a new seed and count episodes from 0 again; the next `reset` begins episode 0.

        With a seed for each world, world i has the episodes of world 0 of a batch of its own seed, those of
        `gymnasium.make`. With `mask` [n], only its worlds take theirs.

        Raises:
            UserError: a seed is negative, or there is not one for each world.
        """
        mask = np.ones(self.n, dtype=bool) if mask is None else mask
        fresh = draws_of(seed, self.n)
        merged = Draws(*(np.where(mask, new, old) for new, old in zip(fresh, self._episodes.draws, strict=True)))
        self._episodes = replace(self._episodes, draws=merged)
        self._episode[mask] = -1
        if self._ahead is not None:
            self._ahead.forget(mask)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Begin the next episode in every world, or in those of `mask` [n]; the observation [n, nobs] of all."""
        self._begin(np.ones(self.n, dtype=bool) if mask is None else mask)
        if self._random_age and mask is None:
            (seeds, worlds), ages_of = self._episodes.draws, np.full(self.n, AGE_EPISODE)
            ages = episode_uniforms(seeds, self._episodes.stream, worlds, ages_of, 1)[:, 0]
            age = (ages * self.env.max_episode_steps).astype(np.int32)
            self.task_state = self.task_state._replace(step=age)
        return self._observation

    def step(self, action: NDArray[np.float32], active: NDArray[np.bool_] | None = None) -> Transition:
        """Advance every world by one control step with `action` [n, nu] in [-1, 1].

        `active` [n] leaves the physics of the other worlds as it is; their results carry no meaning.
        """

        def advance(ctrl: NDArray[np.float32], push: NDArray[np.float32]) -> tuple[Sensed, None]:
            self.engine.step(ctrl, push, active)
            return self.engine.sensed(), None

        step, self.sensed, _ = task.control_step(
            np, self.anatomy, self.env, self.task_state, action, self.ramp, advance
        )
        self.task_state, self._observation = step.state, step.observation
        if self._auto_reset and (done := step.terminated | step.truncated).any():
            self._begin(done)
        return task.transition_of(np, step, self._observation)

    def state(self) -> State:
        """Everything needed to continue bit for bit: engine, task state, episode counters, observation."""
        return {
            "engine": self.engine.state(),
            "task": {name: np.array(value) for name, value in self.task_state._asdict().items()},
            "episode": self._episode.copy(),
            "observation": self._observation.copy(),
        }

    def set_state(self, state: State) -> None:
        """Continue from what `state()` returned."""
        self.engine.set_state(state["engine"])
        self.task_state = task.TaskState(**state["task"])
        self._episode = state["episode"].copy()
        self._observation = state["observation"].copy()

    def _begin(self, mask: NDArray[np.bool_]) -> None:
        self._episode[mask] += 1
        if self._ahead is None:
            fresh = self._episodes.begin(self.engine, mask, self._episode)
        else:
            fresh = self._ahead.begin(self._episodes, self.engine, mask, self._episode)
        self.task_state, self._observation = put(Beginning(self.task_state, self._observation), fresh, mask)
