"""Steps per second of physics, environment and training, taken in turns so that noise hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from mesozoic import task
from mesozoic.bench.replay import RecordingEngine
from mesozoic.config import StageConfig
from mesozoic.learn.kinds import LearnerKind
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native import NativeEngine
from mesozoic.species import Species

STEPS = 50
"""Control steps of one piece of work."""
ACTION_SIZE = 0.2
"""Standard deviation of the random actions, of which 1 is the whole range."""
Work = Callable[[], int]
"""Does a little work and says how many environment steps it was."""


def measure(species: Species, config: StageConfig, kind: LearnerKind, seconds: float, rounds: int) -> dict[str, Any]:
    """Rates in environment (control) steps per second, median over `rounds` of `seconds` each.

    environment: `STEPS` control steps from one and the same state, with small random actions; physics: the engine
    alone, asked for the same steps and resets; training: collection and updates, compilation apart.
    """
    works = {**_physics_and_environment(species, config), "training": _training(species, config, kind)}
    began = time.perf_counter()
    works["training"]()
    compile_seconds = time.perf_counter() - began
    for name in ("physics", "environment"):
        works[name]()
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            rates[name].append(_rate(work, seconds))
    middle = {name: median(values) for name, values in rates.items()}
    return {
        "worlds": config.stage.n_envs,
        "steps_per_second": middle,
        "share_of_physics": {name: rate / middle["physics"] for name, rate in middle.items()},
        "rounds": rates,
        "compile_seconds": compile_seconds,
    }


def _rate(work: Work, seconds: float) -> float:
    steps, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        steps += work()
    return steps / elapsed


def _physics_and_environment(species: Species, config: StageConfig) -> dict[str, Work]:
    n = config.stage.n_envs
    engine = RecordingEngine(NativeEngine(species, n))
    env = BatchEnv(engine, config.env, 0, random_age=True, ahead=NativeEngine(species, n))
    env.reset()
    noise = np.random.default_rng(0).standard_normal((STEPS, n, env.action_size))
    actions = task.clip_action(np, ACTION_SIZE * noise.astype(np.float32))
    state = env.state()

    def environment() -> int:
        env.set_state(state)
        engine.begin()
        for action in actions:
            env.step(action)
        return STEPS * n

    def physics() -> int:
        engine.replay()
        return STEPS * n

    environment()  # writes down what the physics does again
    return {"physics": physics, "environment": environment}


def _training(species: Species, config: StageConfig, kind: LearnerKind) -> Work:
    learner = kind.make(species, config, 0)

    def work() -> int:
        before = learner.step
        learner.learn()
        return learner.step - before

    return work
