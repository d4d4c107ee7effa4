"""Chooses a learner by backend and algorithm."""

from __future__ import annotations

from importlib.util import find_spec

from mesozoic.config import StageConfig
from mesozoic.errors import UserError, did_you_mean
from mesozoic.learn.learner import Learner
from mesozoic.learn.policy import Policy
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

BACKENDS = ("auto", "jax", "sb3")
ALGORITHMS = {"jax": ("ppo",), "sb3": ("ppo", "sac")}


def choose_backend(backend: str, algorithm: str) -> str:
    """Resolve `auto`, to the first backend that has the algorithm, and check that it has it and is installed.

    Raises:
        UserError: it is unknown, lacks the algorithm, or is not installed.
    """
    if backend not in BACKENDS:
        raise UserError(
            f"unknown backend '{backend}'{did_you_mean(backend, BACKENDS)} this version has: {', '.join(BACKENDS)}"
        )
    known = sorted({name for names in ALGORITHMS.values() for name in names})
    if algorithm not in known:
        hint = did_you_mean(algorithm, known)
        raise UserError(f"unknown algorithm '{algorithm}'{hint} this version has: {', '.join(known)}")
    chosen = backend
    if backend == "auto":
        chosen = next(name for name, names in ALGORITHMS.items() if algorithm in names)
    if algorithm not in ALGORITHMS[chosen]:
        raise UserError(f"backend '{chosen}' has no algorithm '{algorithm}'; it has: {', '.join(ALGORITHMS[chosen])}")
    if chosen == "jax" and find_spec("jax") is None:
        raise UserError("backend 'jax' needs JAX, which is not installed; run: pip install mesozoic")
    if chosen == "sb3" and (find_spec("stable_baselines3") is None or find_spec("torch") is None):
        raise UserError(
            "backend 'sb3' needs Stable-Baselines3 and PyTorch, which are missing; run: pip install 'mesozoic[sb3]'"
        )
    return chosen


def make_learner(
    backend: str,
    algorithm: str,
    species: Species,
    config: StageConfig,
    seed: int,
    warm_start: Policy | None,
) -> Learner:
    """Build the learner of a backend that `choose_backend` returned, with its training environment."""
    env = native_env(species, config.env, config.stage.n_envs, seed, Stream.TRAIN, random_age=True)
    env.reset()
    if backend == "sb3" and algorithm == "sac":
        from mesozoic.learn.sb3.sac import SB3SAC

        return SB3SAC(env, config, species.name, seed, warm_start)
    if backend == "sb3":
        from mesozoic.learn.sb3.ppo import SB3PPO

        return SB3PPO(env, config, species.name, seed, warm_start)
    from mesozoic.learn.host_collector import HostCollector
    from mesozoic.learn.ppo.learner import PPO

    return PPO(HostCollector(env), config, species.name, seed, warm_start)
