"""A device engine compiled once for an animal, behind environments of all its stages, and native states for it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mesozoic.sim import philox
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.device_env import DeviceEnv, Start, Worlds
from mesozoic.sim.mjx.engine import MjxEngine, Physics
from mesozoic.sim.native import NativeEngine
from mesozoic.sim.samples import Stream
from mesozoic.task import TaskState

QUICK_COMPILE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""A third of the time for programs that run a few steps only. Not for double precision: there XLA 0.10.2's code at
this level leaves MJX's solver before it has converged in one of a hundred steps, by up to 3 rad/s."""


class CompiledEngine:
    """`place` and `step` of an engine as two programs for `n` worlds, whose friction is always an argument.

    They are compiled quickly in single precision, wholly in double.

    Under `jax.disable_jit()` the environment around them then runs operation by operation: the physics is compiled
    once for all stages.
    """

    def __init__(self, engine: MjxEngine, n: int) -> None:
        self.anatomy, self.n = engine.anatomy, n
        self.sensed = engine.sensed
        kind = jnp.zeros(()).dtype
        options = QUICK_COMPILE if kind == jnp.float32 else {}
        nq, nv, nu = self.anatomy.nq, self.anatomy.nv, self.anatomy.nu

        def shape(*size: int, kind: Any = jnp.float32) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((n, *size), kind)

        fields = {"friction": shape()}
        place = jax.jit(engine.place).lower(shape(nq), shape(nv), fields)
        self._place = place.compile(options)
        state = jax.eval_shape(engine.place, shape(nq), shape(nv), fields)
        assert state.qpos.dtype == kind
        self._step = jax.jit(engine.step).lower(state, shape(nu), shape(3)).compile(options)

    def place(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array]) -> Physics:
        with jax.disable_jit(False):
            return self._place(qpos, qvel, fields or {"friction": jnp.ones(self.n, jnp.float32)})

    def step(self, state: Physics, ctrl: jax.Array, push: jax.Array) -> Physics:
        with jax.disable_jit(False):
            return self._step(state, ctrl, push)


def begin(env: DeviceEnv, seed: int, n: int, episode: int) -> Start:
    """The beginning of an episode of worlds 0 to n - 1."""
    worlds = jnp.arange(n, dtype=jnp.int32)
    return env.begin(jnp.asarray(philox.key_of(seed, Stream.TRAIN)), worlds, jnp.full(n, episode, jnp.int32))


def continue_native(native: BatchEnv, env: DeviceEnv, seed: int) -> Worlds:
    """Device worlds in the states of native ones, whose next episodes are prepared."""
    engine, n = native.engine, native.n
    assert isinstance(engine, NativeEngine)
    kind = jnp.zeros(()).dtype
    seen = engine.sensed()
    friction = engine.state().get("friction", np.ones(n))
    physics = Physics(
        qpos=jnp.asarray(engine._qpos, kind),
        qvel=jnp.asarray(engine._qvel, kind),
        warm=jnp.asarray(engine._batch.bind("qacc_warmstart"), kind),
        foot_force=jnp.asarray(seen.foot_force, kind),
        actuator_force=jnp.asarray(seen.actuator_force, kind),
        site_pos=jnp.asarray(seen.site_pos, kind),
        foot_pos=jnp.asarray(seen.foot_pos, kind),
        clearance=jnp.asarray(seen.clearance, kind),
        fields={"friction": jnp.asarray(friction, jnp.float32)},
    )
    now = Start(physics, TaskState(*(jnp.asarray(x) for x in native.task_state)), jnp.asarray(native.observation))
    episode, world = jnp.asarray(native._episode, jnp.int32), jnp.arange(n, dtype=jnp.int32)
    key = jnp.asarray(philox.key_of(seed, Stream.TRAIN))
    return Worlds(now, env.begin(key, world, episode + 1), jnp.ones(n, bool), episode, world)
