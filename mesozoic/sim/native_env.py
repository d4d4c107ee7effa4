"""The batched environment on the native engine."""

from __future__ import annotations

from mesozoic.config import EnvSection
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
