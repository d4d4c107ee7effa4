"""The batched environment on the native engine."""

from __future__ import annotations

from mesozoic.config import EnvSection, StageConfig
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native import ModelChange, NativeEngine
from mesozoic.sim.samples import Stream
from mesozoic.species import Species


def native_env(
    species: Species,
    env: EnvSection,
    n: int,
    seed: int,
    stream: Stream = Stream.TRAIN,
    auto_reset: bool = True,
    random_age: bool = False,
    threads: int = 0,
    change: ModelChange | None = None,
    heading: float | None = None,
    ahead: bool = False,
) -> BatchEnv:
    """`n` worlds of `species` on `threads` cores (0: all); `change` of the simulated body: see `NativeEngine`.

    With `ahead`, the next episodes are prepared on a second engine. The other arguments are those of `BatchEnv`.
    """
    engine, *others = (NativeEngine(species, n, threads, change) for _ in range(1 + ahead))
    return BatchEnv(engine, env, seed, stream, auto_reset, random_age, heading, *others)


def training_env(species: Species, config: StageConfig, seed: int) -> BatchEnv:
    """The worlds that a stage is trained in, already reset, the first episodes at random ages."""
    env = native_env(species, config.env, config.stage.n_envs, seed, random_age=True, ahead=True)
    env.reset()
    return env
