"""Small batches of worlds from `gymnasium.make_vec`, and what they answer in a form that can be compared."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

import mesozoic  # noqa: F401 - registers the ids
from mesozoic.gym.vector_env import DinosaurVectorEnv

ID = "mesozoic/Velociraptor-Balance-v0"
N = 4
SHORT = ["env.max_episode_steps=30", "curriculum.min_avg_episode_length=0", "env.push_interval=0.4"]
NEAR_PREY = [*SHORT, "env.prey_distance_range=[0.8, 1]", "env.reach_radius=1", "env.hold_time=0.1"]
TASKS = {"balance": (ID, SHORT), "walk": ("mesozoic/Brachiosaurus-Locomotion-v0", SHORT)}
TASKS["bite"] = ("mesozoic/Trex-Bite-v0", NEAR_PREY)
MODES = [mode.value for mode in AutoresetMode]


def make(mode: str = "NextStep", n: int = N, **more: Any) -> DinosaurVectorEnv:
    envs = gymnasium.make_vec(ID, num_envs=n, autoreset_mode=mode, **{"overrides": SHORT, **more})
    assert isinstance(envs, DinosaurVectorEnv)
    return envs


def moves(envs: Any, steps: int, seed: int = 0, n: int = 0) -> np.ndarray:
    """Random actions [steps, n, nu] for as many worlds as there are, or for `n`."""
    shape = (steps, n or envs.num_envs, *envs.single_action_space.shape)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def play(envs: Any, actions: np.ndarray) -> list[Any]:
    """All that an environment answers; where nothing resets by itself, worlds are reset when they have ended."""
    seen: list[Any] = []
    for action in actions:
        step = envs.step(action)
        seen.append(plain(step))
        ended = step[2] | step[3]
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            seen.append(plain(envs.reset(options={"reset_mask": ended})))
    return seen


def plain(value: Any) -> Any:
    """The same without arrays, so that `==` tells whether all bits are equal."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.dtype == object):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        wide = value.astype(np.float64) if value.dtype == np.float32 else value  # Gymnasium's loop gives float64
        return wide.shape, wide.tobytes()
    return value
