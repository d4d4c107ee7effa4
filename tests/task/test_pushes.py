"""Pushes: when they come, how strong they are, and that they deliver what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy

N = 200


def _begin(anatomy: Anatomy, env: EnvSection, seed: int = 0) -> task.TaskState:
    samples = np.random.default_rng(seed).random((N, task.uniforms_per_reset(anatomy, env)), dtype=np.float32)
    samples[0, :], samples[1, :] = 0.0, np.nextafter(np.float32(1), np.float32(0))
    return task.reset(np, anatomy, env, samples)[0]


ENVS = [
    EnvSection(push_velocity_min=0.15, push_velocity_max=0.3),
    EnvSection(push_interval=0.31, push_duration=0.3, push_velocity_max=1.0),
    EnvSection(push_interval=0.1, push_duration=0.02, push_velocity_min=0.5, push_velocity_max=0.5),
    EnvSection(push_interval=1.0, push_duration=0.05, push_velocity_max=0.3),  # no whole number of steps
    EnvSection(push_interval=50.0, push_duration=1.0, push_velocity_max=0.2),
]


@pytest.mark.parametrize("env", ENVS)
def test_each_push_lies_in_its_interval(anatomy: Anatomy, env: EnvSection) -> None:
    start = _begin(anatomy, env).push_start
    interval = env.push_interval / anatomy.dt
    opening = np.arange(start.shape[1]) * interval
    assert (start >= np.floor(opening)).all()
    assert (start * anatomy.dt + env.push_duration <= (opening + interval) * anatomy.dt + anatomy.dt + 1e-6).all()
    assert (np.diff(start, axis=1) * anatomy.dt >= env.push_duration - 1e-6).all()


def test_there_is_one_push_for_every_full_interval(anatomy: Anatomy) -> None:
    for steps, interval, count in [(500, 2.0, 5), (499, 2.0, 4), (15, 0.1, 3), (100, 50.0, 1)]:
        env = EnvSection(max_episode_steps=steps, push_interval=interval, push_duration=0.05, push_velocity_max=0.1)
        assert _begin(anatomy, env).push_start.shape[1] == count, (steps, interval)


@pytest.mark.parametrize("env", ENVS)
def test_strength_is_within_limits_and_direction_is_any(anatomy: Anatomy, env: EnvSection) -> None:
    velocity = _begin(anatomy, env).push_velocity
    strength = np.linalg.norm(velocity, axis=2) / anatomy.speed_unit
    low, high = env.push_velocity_min, env.push_velocity_max
    tenth = 0.1 * (high - low)
    assert low - 1e-6 <= strength.min() < low + tenth + 1e-6
    assert high + 1e-6 >= strength.max() > high - tenth - 1e-6
    quadrants = 2 * (velocity[:, :, 0] > 0) + (velocity[:, :, 1] > 0)
    assert (np.bincount(quadrants.ravel(), minlength=4) > 0.15 * quadrants.size).all()


@pytest.mark.parametrize("env", ENVS[:4])
def test_an_episode_delivers_the_impulse_of_its_pushes(anatomy: Anatomy, env: EnvSection) -> None:
    state = _begin(anatomy, env)
    impulse = np.zeros((N, 3))
    for step in range(env.max_episode_steps):
        now = state._replace(step=np.full(N, step, dtype=np.int32))
        impulse += task.push_force(np, anatomy, env, now).astype(np.float64) * anatomy.dt
    expected = anatomy.mass * state.push_velocity.astype(np.float64).sum(axis=1)
    np.testing.assert_allclose(impulse[:, :2], expected, rtol=1e-5, atol=1e-5)
    assert (impulse[:, 2] == 0).all()
    assert np.abs(expected).max() > 0


def test_without_strength_there_are_no_pushes(anatomy: Anatomy) -> None:
    env = EnvSection(push_velocity_max=0.0)
    state = _begin(anatomy, env)
    assert state.push_start.shape == (N, 0)
    assert not task.push_force(np, anatomy, env, state).any()
