"""The yardsticks: Stable-Baselines3 PPO on our environment and on others, each in its own usual way."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.gym.registration import env_id, register_envs
from mesozoic.sim.native_env import training_env
from mesozoic.species import Species

PROCESSES = 4
ROLLOUT = 2048
"""SB3's default `n_steps`."""


def measure_peers(species: Species, config: StageConfig, rollouts: int = 1) -> list[dict[str, Any]]:
    """Environment steps per second of SB3's PPO, after one warm-up rollout each; torch runs on one thread.

    On our batched environment with the hyperparameters of the stage; on the same animal one world at a
    time (`DummyVecEnv`, `SubprocVecEnv`) and on Gymnasium's Humanoid-v5 with SB3's defaults.

    Raises:
        UserError: Stable-Baselines3 is not installed.
    """
    if find_spec("stable_baselines3") is None:
        raise UserError("--peer needs Stable-Baselines3, which is not installed; run: pip install 'mesozoic[sb3]'")
    import torch
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

    torch.set_num_threads(1)
    register_envs()
    own = env_id(species.name, config.stage.name)
    rates = {
        f"SB3 PPO, {species.name}, our batch of {config.stage.n_envs}": _batched(species, config, rollouts),
        f"SB3 PPO, {species.name}, DummyVecEnv({PROCESSES})": _usual(own, DummyVecEnv, rollouts),
        f"SB3 PPO, {species.name}, SubprocVecEnv({PROCESSES})": _usual(own, SubprocVecEnv, rollouts),
        f"SB3 PPO, Humanoid-v5, SubprocVecEnv({PROCESSES})": _usual("Humanoid-v5", SubprocVecEnv, rollouts),
    }
    return [{"name": name, "steps_per_second": rate} for name, rate in rates.items()]


def _usual(environment: str, vec_env: type[Any], rollouts: int) -> float:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    def make() -> Any:
        import gymnasium

        from mesozoic.gym.registration import register_envs

        register_envs()  # in worker processes too
        return gymnasium.make(environment)

    envs = make_vec_env(make, n_envs=PROCESSES, seed=0, vec_env_cls=vec_env)
    try:
        model = PPO("MlpPolicy", envs, n_steps=ROLLOUT, device="cpu", seed=0)
        steps = ROLLOUT * PROCESSES

        def work(count: int) -> None:
            model.learn(steps * count, reset_num_timesteps=False)

        return _rate(work, steps, rollouts)
    finally:
        envs.close()


def _batched(species: Species, config: StageConfig, rollouts: int) -> float:
    from mesozoic.learn.sb3.ppo import SB3PPO

    learner = SB3PPO(training_env(species, config, 0), config, species.name, 0)
    per_rollout = config.ppo.n_steps * config.stage.n_envs
    steps = -(-ROLLOUT * PROCESSES // per_rollout) * per_rollout

    def work(count: int) -> None:
        for _ in range(count * (steps // per_rollout)):
            learner.learn()

    return _rate(work, steps, rollouts)


def _rate(work: Callable[[int], None], steps: int, rollouts: int) -> float:
    work(1)
    began = time.perf_counter()
    work(rollouts)
    return steps * rollouts / (time.perf_counter() - began)
