"""Friction drawn for each episode reaches the physics, and is part of the state."""

from __future__ import annotations

import numpy as np

from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native_env import native_env
from mesozoic.species import get_species, load_stage

SPECIES = get_species("velociraptor")
ENV = load_stage("velociraptor", 1).env.model_copy(update={"push_velocity_min": 0.4, "push_velocity_max": 0.4})


def _env(low: float, high: float) -> BatchEnv:
    env = native_env(SPECIES, ENV.model_copy(update={"friction_range": (low, high)}), 8, seed=3, auto_reset=True)
    env.reset()
    return env


def _run(env: BatchEnv, steps: int) -> np.ndarray:
    for _ in range(steps):
        env.step(np.zeros((env.n, env.action_size), dtype=np.float32))
    return env.engine.sensed().qpos


def test_friction_of_one_is_the_model_itself() -> None:
    plain = native_env(SPECIES, ENV, 8, seed=3)
    plain.reset()
    np.testing.assert_array_equal(_run(_env(1.0, 1.0), 40), _run(plain, 40))


def test_smooth_ground_moves_the_animal_differently() -> None:
    assert not np.array_equal(_run(_env(0.1, 0.1), 40), _run(_env(1.0, 1.0), 40))


def test_worlds_differ_and_a_new_episode_draws_anew() -> None:
    env = _env(0.5, 1.5)
    first = env.engine.state()["friction"]
    assert len(set(first)) == 8 and (first >= 0.5).all() and (first <= 1.5).all()
    env.reset()
    assert (env.engine.state()["friction"] != first).all()


def test_continuing_from_a_state_is_exact() -> None:
    one = _env(0.3, 1.5)
    _run(one, 30)
    state = one.state()
    other = _env(0.3, 1.5)
    other.reset()
    other.set_state(state)
    np.testing.assert_array_equal(_run(one, 80), _run(other, 80))
