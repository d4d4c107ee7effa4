"""Steps per second of physics, environment and training, taken in turns so that noise hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from mjbatch import Batch

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.learn.kinds import LearnerKind
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

Work = Callable[[], int]
"""Does a little work and says how many environment steps it was."""


def measure(species: Species, config: StageConfig, kind: LearnerKind, seconds: float, rounds: int) -> dict[str, Any]:
    """Rates in environment (control) steps per second, median over `rounds` of `seconds` each.

    physics: mjbatch alone, the animal standing; environment: the task on top, small random actions;
    training: collection and updates, compilation apart.
    """
    works = {
        "physics": _physics(species, config),
        "environment": _environment(species, config),
        "training": _training(species, config, kind),
    }
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


def _physics(species: Species, config: StageConfig) -> Work:
    n = config.stage.n_envs
    env = native_env(species, config.env, 1, 0, Stream.TRAIN)
    batch = Batch(species.load_model(), n)
    ctrl = batch.bind("ctrl")
    batch.reset(keyframe=0)
    ctrl[:] = env.anatomy.home_ctrl

    def work() -> int:
        for _ in range(50):
            batch.step(nstep=env.anatomy.substeps)
        return 50 * n

    return work


def _environment(species: Species, config: StageConfig) -> Work:
    n = config.stage.n_envs
    env = native_env(species, config.env, n, 0, Stream.TRAIN, random_age=True)
    env.reset()
    actions = 0.2 * np.random.default_rng(0).standard_normal((50, n, env.action_size)).astype(np.float32)

    def work() -> int:
        for action in task.clip_action(np, actions):
            env.step(action)
        return 50 * n

    return work


def _training(species: Species, config: StageConfig, kind: LearnerKind) -> Work:
    learner = kind.make(species, config, 0)

    def work() -> int:
        before = learner.step
        learner.learn()
        return learner.step - before

    return work
