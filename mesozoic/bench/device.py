"""Steps per second of the device engine: physics alone, the environment with a policy, and training."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mesozoic.config import StageConfig
from mesozoic.learn.device_collector import ScanCollector
from mesozoic.learn.ppo.learner import PPO
from mesozoic.sim.device_env import DeviceEnv
from mesozoic.sim.mjx.engine import MjxEngine, Physics
from mesozoic.species import Species

WOBBLE = 0.1
"""Deviation of the random servo targets around home, radians, so that the contacts are not at rest."""


class Rate(NamedTuple):
    """Control steps per second over all worlds; seconds to trace and compile; what the program takes on the device."""

    steps_per_second: float
    compile_seconds: float
    program_bytes: int | None


def physics_rate(engine: MjxEngine, n: int, steps: int, seconds: float) -> Rate:
    """Physics alone: `n` worlds standing at home under small random servo targets, `steps` in one scan."""
    anatomy = engine.anatomy
    noise = np.random.default_rng(0).standard_normal((steps, 1, anatomy.nu)).astype(np.float32)
    targets = jnp.asarray(anatomy.home_ctrl + WOBBLE * noise)

    def start() -> Physics:
        qpos = jnp.tile(jnp.asarray(anatomy.home_qpos), (n, 1))
        return engine.place(qpos, jnp.zeros((n, anatomy.nv)), {})

    def scan(state: Physics, targets: jax.Array) -> Physics:
        def one(state: Physics, ctrl: jax.Array) -> tuple[Physics, None]:
            return engine.step(state, jnp.broadcast_to(ctrl, (n, anatomy.nu)), jnp.zeros((n, 3))), None

        return jax.lax.scan(one, state, targets)[0]

    state = jax.jit(start)()
    began = time.perf_counter()
    program = jax.jit(scan, donate_argnums=0).lower(state, targets).compile()
    compiling = time.perf_counter() - began
    held = [program(state, targets)]

    def work() -> int:
        held[0] = jax.block_until_ready(program(held[0], targets))
        return steps * n

    return Rate(_rate(work, seconds), compiling, _program_bytes(program))


class DeviceTraining:
    """A training on the device whose two halves can be timed: acting in the environment, and all of it."""

    def __init__(self, engine: MjxEngine, species: Species, config: StageConfig, seed: int = 0) -> None:
        began = time.perf_counter()
        self._collector = ScanCollector(DeviceEnv(engine, config.env), config.stage.n_envs, seed)
        self._learner = PPO(self._collector, config, species.name, seed)
        self.steps = self._learner.rollout_steps
        self._learner.learn()
        self.compile_seconds = time.perf_counter() - began
        self.program_bytes = _program_bytes(self._collector._compiled)
        self.metrics: dict[str, float] = {}

    def environment_rate(self, seconds: float) -> Rate:
        """Rollouts without updates: physics, task, resets and the policy."""
        hyper = self._learner._hyperparameters()
        actor, noise = self._learner._actor(hyper), self._learner._noise(jax.random.key(0))

        def work() -> int:
            jax.block_until_ready(self._collector.collect(actor, noise, np.float32(1.0)))
            return self.steps

        return Rate(_rate(work, seconds), self.compile_seconds, self.program_bytes)

    def training_rate(self, seconds: float) -> Rate:
        """Rollouts and updates."""

        def work() -> int:
            self.metrics = dict(self._learner.learn())
            return self.steps

        return Rate(_rate(work, seconds), self.compile_seconds, self.program_bytes)


def device_facts() -> dict[str, Any]:
    """The device, and what its driver says of it where there is an NVIDIA one."""
    device = jax.devices()[0]
    facts = {"device": device.device_kind, "platform": device.platform}
    query = "name,driver_version,memory.total,memory.used"
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return facts
    if answer.returncode == 0:
        facts |= dict(
            zip(query.split(","), (part.strip() for part in answer.stdout.split("\n")[0].split(",")), strict=True)
        )
    return facts


def _rate(work: Callable[[], int], seconds: float) -> float:
    work()
    steps, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        steps += work()
    return steps / elapsed


def _program_bytes(program: Any) -> int | None:
    use = program.memory_analysis()
    if use is None:
        return None
    return int(use.argument_size_in_bytes + use.output_size_in_bytes + use.temp_size_in_bytes - use.alias_size_in_bytes)
