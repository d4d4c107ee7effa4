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
) -> BatchEnv:
    """`n` worlds of `species` on `threads` cores (0: all); `change` of the simulated body: see `NativeEngine`.

    The other arguments are those of `BatchEnv`.
    """
    engine = NativeEngine(species, n, threads, change)
    return BatchEnv(engine, env, seed, stream, auto_reset, random_age, heading)


def training_env(species: Species, config: StageConfig, seed: int) -> BatchEnv:
    """The worlds that a stage is trained in, already reset, the first episodes at random ages."""
    engine, ahead = (NativeEngine(species, config.stage.n_envs) for _ in range(2))
    env = BatchEnv(engine, config.env, seed, Stream.TRAIN, random_age=True, ahead=ahead)
    env.reset()
    return env
