"""The yardstick: Stable-Baselines3 PPO on Gymnasium's Humanoid-v5 with four processes."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

from mesozoic.errors import UserError

PROCESSES = 4
ROLLOUT = 2048
"""SB3's default `n_steps`."""


def measure_peer(rollouts: int) -> dict[str, Any]:
    """Environment steps per second of SB3's PPO with its default hyperparameters, after one warm-up rollout.

    torch runs on one thread, which is faster here than two.

    Raises:
        UserError: Stable-Baselines3 is not installed.
    """
    if find_spec("stable_baselines3") is None:
        raise UserError("--peer needs Stable-Baselines3, which is not installed; run: pip install 'mesozoic[sb3]'")
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import SubprocVecEnv

    torch.set_num_threads(1)
    envs = make_vec_env("Humanoid-v5", n_envs=PROCESSES, seed=0, vec_env_cls=SubprocVecEnv)
    try:
        model = PPO("MlpPolicy", envs, n_steps=ROLLOUT, device="cpu", seed=0)
        model.learn(ROLLOUT * PROCESSES)
        began = time.perf_counter()
        model.learn(ROLLOUT * PROCESSES * rollouts, reset_num_timesteps=False)
        seconds = time.perf_counter() - began
    finally:
        envs.close()
    return {
        "name": f"SB3 PPO, Humanoid-v5, SubprocVecEnv({PROCESSES})",
        "steps_per_second": ROLLOUT * PROCESSES * rollouts / seconds,
    }
