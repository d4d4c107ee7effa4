"""The baselines that every figure is shown beside: actors that need no learning."""

from __future__ import annotations

import numpy as np

from mesozoic.sim.actor import Actor


def statue(action_size: int) -> Actor:
    """Holds the home pose: the zero action. A task that it solves needs no learning."""
    return lambda observation: np.zeros((len(observation), action_size), dtype=np.float32)


def random_actor(action_size: int, seed: int) -> Actor:
    """Uniformly random actions."""
    rng = np.random.default_rng(seed)
    return lambda observation: rng.uniform(-1.0, 1.0, (len(observation), action_size)).astype(np.float32)
