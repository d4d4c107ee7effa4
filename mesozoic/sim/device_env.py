"""Thousands of worlds on a device as pure functions: `reset` and `step` of an immutable `Worlds`.

The next episode of a world is known before the present one ends, as its samples depend on seed, stream, world
and episode only. It is therefore prepared ahead, in `spare`, and a reset only selects. Used spares are made
anew all at once, in a step in which some world needs its second: at most once in the shortest episode. What
comes out is what a reset in place gives; no first state is ever used twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.sim import philox
from mesozoic.sim.engine import EngineState, PureEngine
from mesozoic.task import Sensed, TaskState, Transition


class Start(NamedTuple):
    """Where worlds are, or the beginnings of episodes that wait; [n, ...]."""

    physics: EngineState
    task_state: TaskState
    observation: Any


class Worlds(NamedTuple):
    """The state of an environment.

    Attributes:
        now, spare: where each world is, and how its next episode begins.
        fresh [n] bool: the spare has not been used yet.
        episode [n] int32: number of the episode of `now`; world [n] int32: number of each world.
    """

    now: Start
    spare: Start
    fresh: Any
    episode: Any
    world: Any


class DeviceEnv:
    """One stage of an animal on a device; the counterpart of `BatchEnv`, with the same episodes.

    All methods work under `jax.jit` and `jax.lax.scan`, on batched arrays, not under `jax.vmap`.

    Args:
        engine: moves the bodies; env: the stage's task.
    """

    def __init__(self, engine: PureEngine, env: EnvSection) -> None:
        self.engine, self.env, self.anatomy = engine, env, engine.anatomy
        task.check_stage(self.anatomy, env)
        self.observation_size = task.observation_size(self.anatomy)
        self.action_size = self.anatomy.nu
        self._uniforms = task.uniforms_per_reset(self.anatomy, env)

    def begin(self, key: jax.Array, world: jax.Array, episode: jax.Array) -> Start:
        """The beginnings of `episode` [n] of `world` [n]; `key` from `philox.key_of`."""
        samples = philox.episode_uniforms(key, world, episode, self._uniforms)
        state, qpos, qvel = task.reset(jnp, self.anatomy, self.env, samples)
        physics = self.engine.place(qpos, qvel, task.model_fields(self.env, samples))
        state, observation = task.begin(jnp, self.anatomy, self.env, state, self.engine.sensed(physics))
        return Start(physics, state, observation)

    def reset(self, key: jax.Array, world: jax.Array, random_age: bool = True) -> Worlds:
        """Episode 0 of `world` [n] int32; with `random_age` they begin at different ages, to end apart."""
        first = jnp.zeros_like(world)
        # One after the other, so that the physics of placing is compiled once.
        both = jax.lax.map(lambda episode: self.begin(key, world, episode), jnp.stack([first, first + 1]))
        now, spare = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
        if random_age:
            age = (philox.age_uniforms(key, world) * self.env.max_episode_steps).astype(jnp.int32)
            now = now._replace(task_state=now.task_state._replace(step=age))
        return Worlds(now, spare, jnp.ones(world.shape, bool), first, world)

    def step(self, key: jax.Array, worlds: Worlds, action: jax.Array, ramp: jax.Array) -> tuple[Worlds, Transition]:
        """Advance every world by one control step with `action` [n, nu]; ended episodes are followed by the next.

        `ramp`: float32 scalar, share of the weights of locomotion and behaviour terms that counts.
        """
        now = worlds.now

        def advance(ctrl: jax.Array, push: jax.Array) -> tuple[Sensed, EngineState]:
            physics = self.engine.step(now.physics, ctrl, push)
            return self.engine.sensed(physics), physics

        step, _, physics = task.control_step(jnp, self.anatomy, self.env, now.task_state, action, ramp, advance)
        done = step.terminated | step.truncated
        lacking = jnp.any(done & ~worlds.fresh)

        def refill(spare: Start) -> Start:
            return _where(worlds.fresh, spare, self.begin(key, worlds.world, worlds.episode + 1))

        spare = jax.lax.cond(lacking, refill, lambda spare: spare, worlds.spare)
        after = _where(done, spare, Start(physics, step.state, step.observation))
        fresh = (worlds.fresh | lacking) & ~done
        episode = worlds.episode + done.astype(jnp.int32)
        return Worlds(after, spare, fresh, episode, worlds.world), task.transition_of(jnp, step, after.observation)


def _where(mask: jax.Array, then: Any, otherwise: Any) -> Any:
    """`then` in the worlds of `mask` [n], `otherwise` in the others, for trees of equal shapes and types."""

    def choose(a: jax.Array, b: jax.Array) -> jax.Array:
        if a.dtype != b.dtype or a.shape != b.shape:
            raise TypeError(f"{a.dtype}{list(a.shape)} and {b.dtype}{list(b.shape)} do not mix")
        return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, then, otherwise)
