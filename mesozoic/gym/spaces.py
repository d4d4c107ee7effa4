"""The spaces of an environment, and actions that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.sim.batch_env import BatchEnv


def spaces_of(env: BatchEnv) -> tuple[Box[np.float32], Box[np.float32]]:
    """Of the observations and the actions of one world."""
    observations: Box[np.float32] = Box(-np.inf, np.inf, (env.observation_size,), np.float32)
    return observations, Box(-1.0, 1.0, (env.action_size,), np.float32)


def checked_actions(actions: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Actions as float32.

    Raises:
        UserError: they have another shape, which would be spread over the worlds without a word.
    """
    array = np.asarray(actions, dtype=np.float32)
    if array.shape != shape:
        raise UserError(f"the action has the shape {array.shape}; it must be {shape}, as action_space.sample() gives")
    return array
