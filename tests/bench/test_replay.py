"""What the bench calls physics is what the environment asks of the engine, and nothing else."""

from __future__ import annotations

import numpy as np

from mesozoic.bench.replay import RecordingEngine
from mesozoic.config import EnvSection
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native import NativeEngine
from mesozoic.species import Species

N, STEPS = 8, 40


def test_a_replay_leaves_the_worlds_where_the_environment_left_them(species: Species, busy_env: EnvSection) -> None:
    engine = RecordingEngine(NativeEngine(species, N, threads=2))
    env = BatchEnv(engine, busy_env, seed=0, random_age=True)
    env.reset()
    rng = np.random.default_rng(0)
    before = engine.state()
    engine.begin()
    ends = 0
    for _ in range(STEPS):
        transition = env.step(rng.uniform(-1, 1, (N, env.action_size)).astype(np.float32))
        ends += int((transition.terminated | transition.truncated).sum())
    after = engine.state()
    assert ends, "resets are part of it"
    for _ in range(2):
        engine.replay()
        again = engine.state()
        assert all(again[name].tobytes() == value.tobytes() for name, value in after.items())
        assert again["physics"].tobytes() != before["physics"].tobytes()
