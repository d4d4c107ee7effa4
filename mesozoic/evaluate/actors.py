"""Actors to evaluate: a policy, and the baselines that every figure is shown beside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Actor = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Actions [n, nu] in [-1, 1] for observations [n, nobs]."""


def statue(action_size: int) -> Actor:
    """Holds the home pose: the zero action. A task that it solves needs no learning."""
    return lambda observation: np.zeros((len(observation), action_size), dtype=np.float32)


def random_actor(action_size: int, seed: int) -> Actor:
    """Uniformly random actions."""
    rng = np.random.default_rng(seed)
    return lambda observation: rng.uniform(-1.0, 1.0, (len(observation), action_size)).astype(np.float32)
