"""Collects rollouts on a device: all control steps in one compiled scan, nothing but metrics for the host."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mesozoic.config import StageConfig
from mesozoic.learn.device_memory import check_memory
from mesozoic.learn.learner import State
from mesozoic.learn.placement import BY_STEP_AND_WORLD, BY_WORLD, EVERYWHERE, ONE_DEVICE, Placement
from mesozoic.learn.ppo.networks import GaussianActor, act
from mesozoic.learn.ppo.trees import flatten, unflatten
from mesozoic.learn.rollout import Array, Rollout, Stats
from mesozoic.learn.tally import Tally, begin_tally, count
from mesozoic.sim.device_env import DeviceEnv, Worlds
from mesozoic.sim.mjx.engine import MjxEngine
from mesozoic.sim.philox import key_of
from mesozoic.sim.samples import Stream
from mesozoic.species import Species


class Carry(NamedTuple):
    """What goes on from one rollout to the next: the worlds and the running episodes."""

    worlds: Worlds
    tally: Tally


class ScanCollector:
    """`n` worlds of `env` on one or several devices; see `Collector`.

    The rollout is compiled once, in the first `collect`, ahead of its call and with its state donated: from then
    on other shapes or types are an error, not a second compilation.

    Args:
        seed: with the training stream, decides every episode, as on the host.
        compiler_options: of XLA, for the rollout.
        placement: the devices, which divide `n`.
    """

    def __init__(
        self,
        env: DeviceEnv,
        n: int,
        seed: int,
        compiler_options: dict[str, Any] | None = None,
        placement: Placement = ONE_DEVICE,
    ) -> None:
        self.env, self.placement = env, placement
        self.anatomy, self.n = env.anatomy, n
        self._key = placement.put(jnp.asarray(key_of(seed, Stream.TRAIN)), EVERYWHERE)
        self._compiler_options = compiler_options
        self._compiled: Any = None
        world = placement.put(jnp.arange(n, dtype=jnp.int32), BY_WORLD)
        begin = jax.jit(placement.each(env.reset, (EVERYWHERE, BY_WORLD), BY_WORLD))
        reset = begin.lower(self._key, world).compile(compiler_options)
        self._carry = Carry(reset(self._key, world), placement.put(begin_tally(jnp, n), BY_WORLD))

    @classmethod
    def for_stage(
        cls, species: Species, config: StageConfig, seed: int, impl: str, placement: Placement
    ) -> ScanCollector:
        """The training environment of a stage, on an implementation of MJX."""
        n = config.stage.n_envs
        engine = MjxEngine(species, n // placement.devices, impl, device=placement.device)
        return cls(DeviceEnv(engine, config.env), n, seed, placement=placement)

    def collect(self, actor: GaussianActor, noise: Array, ramp: Array) -> tuple[Rollout, Stats]:
        """One rollout with `noise` [T, n, nu]; see `Collector`.

        Raises:
            UserError: in the first call: the device has too little memory.
        """
        arguments = (self._carry, self._key, actor, noise, np.float32(ramp))
        if self._compiled is None:
            takes = (BY_WORLD, EVERYWHERE, EVERYWHERE, BY_STEP_AND_WORLD, EVERYWHERE)
            scan = self.placement.each(self._scan, takes, (BY_WORLD, BY_STEP_AND_WORLD, EVERYWHERE))
            self._compiled = jax.jit(scan, donate_argnums=0).lower(*arguments).compile(self._compiler_options)
            what = f"a rollout of {noise.shape[0]} steps in {self.n} worlds"
            check_memory(self._compiled, self.placement.device, what, "--n-envs or ppo.n_steps")
        self._carry, steps, stats = self._compiled(*arguments)
        observation, next_observation, action, reward, terminated, truncated = steps
        return Rollout(observation, next_observation, action, noise, reward, terminated, truncated), stats

    def state(self) -> State:
        """The worlds and the running episodes."""
        return {"carry": flatten(self.placement.fetch(self._carry))}

    def set_state(self, state: State) -> None:
        self._carry = self.placement.put(unflatten(state["carry"], self._carry), BY_WORLD)

    def _scan(
        self, carry: Carry, key: jax.Array, actor: GaussianActor, noise: jax.Array, ramp: jax.Array
    ) -> tuple[Carry, tuple[jax.Array, ...], Stats]:
        def one(carry: Carry, noise: jax.Array) -> tuple[Carry, tuple[Any, Any]]:
            seen = carry.worlds.now.observation
            action = act(actor, seen, noise)
            worlds, result = self.env.step(key, carry.worlds, action, ramp)
            tally, terms, ended = count(jnp, carry.tally, result)
            row = (seen, result.next_observation, action, result.reward, result.terminated, result.truncated)
            return Carry(worlds, tally), (row, (terms, ended))

        carry, (steps, sums) = jax.lax.scan(one, carry, noise)
        share = self.placement
        terms, ended = share.sum(jax.tree.map(lambda rows: rows.sum(axis=0), sums))
        mean = share.mean(steps[0].mean(axis=0).mean(axis=0))
        var = share.mean(jnp.square(steps[0] - mean).mean(axis=0).mean(axis=0))
        return carry, steps, Stats(jnp.float32(noise.shape[0] * self.n), mean, var, terms, ended)
