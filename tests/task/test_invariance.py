"""The world's own heading and position mean nothing to the animal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]


def _turn(points: NDArray, yaw: NDArray) -> NDArray[np.float32]:
    """Turn the horizontal part of [n, ..., 2 or 3] points about the vertical."""
    turned = points.astype(np.float64)
    cos, sin = (f(yaw).reshape(-1, *[1] * (points.ndim - 2)) for f in (np.cos, np.sin))
    turned[..., 0] = cos * points[..., 0] - sin * points[..., 1]
    turned[..., 1] = sin * points[..., 0] + cos * points[..., 1]
    return turned.astype(np.float32)


def _turn_quaternion(q: NDArray, yaw: NDArray) -> NDArray:
    """The product of a turn by `yaw` about the vertical and `q`."""
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    w, x, y, z = q.astype(np.float64).T
    return np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=1)


def _turned(scene: Scene, yaw: NDArray) -> Scene:
    state, sensed, action = scene
    qpos, qvel = sensed.qpos.copy(), sensed.qvel.copy()
    qpos[:, :3], qvel[:, :3] = _turn(qpos[:, :3], yaw), _turn(qvel[:, :3], yaw)
    qpos[:, 3:7] = _turn_quaternion(qpos[:, 3:7], yaw)
    state = state._replace(
        origin=_turn(state.origin, yaw),
        target=_turn(state.target, yaw),
        push_velocity=_turn(state.push_velocity, yaw),
        foot_pos=_turn(state.foot_pos, yaw),
    )
    sites, feet = _turn(sensed.site_pos, yaw), _turn(sensed.foot_pos, yaw)
    return state, sensed._replace(qpos=qpos, qvel=qvel, site_pos=sites, foot_pos=feet), action


def _moved(scene: Scene, offset: NDArray[np.float32]) -> Scene:
    state, sensed, action = scene
    qpos, target = sensed.qpos.copy(), state.target.copy()
    sites, feet = sensed.site_pos.copy(), sensed.foot_pos.copy()
    qpos[:, :2] += offset
    target[:, :2] += offset
    sites[:, :, :2] += offset[:, None]
    feet[:, :, :2] += offset[:, None]
    stood = state.foot_pos.copy()
    stood[:, :, :2] += offset[:, None]
    state = state._replace(origin=state.origin + offset, target=target, foot_pos=stood)
    return state, sensed._replace(qpos=qpos, site_pos=sites, foot_pos=feet), action


def _assert_same_step(anatomy: Anatomy, env: EnvSection, scene: Scene, other: Scene) -> None:
    scene, other = (
        (state, sensed._replace(diverged=np.zeros_like(sensed.diverged)), action)
        for state, sensed, action in (scene, other)
    )
    a, b = (task.judge(np, anatomy, env, *s) for s in (scene, other))
    np.testing.assert_allclose(b.observation, a.observation, atol=1e-5)
    for term in a.rewards:
        # A difference of two positions over one step magnifies their rounding.
        magnified = anatomy.time_unit / anatomy.dt if term in ("approach", "slip_penalty") else 1.0
        np.testing.assert_allclose(b.rewards[term], a.rewards[term], atol=1e-5 * magnified, err_msg=term)
    assert list(a.rewards) == list(task.TERMS)
    np.testing.assert_allclose(b.state.gap, a.state.gap, atol=1e-5)
    for name in ("struck", "phase"):
        np.testing.assert_array_equal(getattr(b.state, name), getattr(a.state, name), err_msg=name)
    for name in ("succeeded", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(b, name), getattr(a, name), err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_turning_the_scene_changes_nothing(
    anatomy: Anatomy, busy_env: EnvSection, make_scene: Callable[[int, float], Scene], seed: int
) -> None:
    scene = make_scene(seed, 0.4)
    yaw = np.random.default_rng(seed).uniform(-np.pi, np.pi, len(scene[2]))
    turned = _turned(scene, yaw)
    _assert_same_step(anatomy, busy_env, scene, turned)
    force = task.push_force(np, anatomy, busy_env, scene[0])
    turned_force = task.push_force(np, anatomy, busy_env, turned[0])
    np.testing.assert_allclose(turned_force, _turn(force, yaw), atol=1e-5 * anatomy.weight)


@pytest.mark.parametrize("seed", range(3))
def test_moving_the_scene_changes_nothing(
    anatomy: Anatomy, busy_env: EnvSection, make_scene: Callable[[int, float], Scene], seed: int
) -> None:
    scene = make_scene(seed, 0.4)
    offset = np.random.default_rng(seed).uniform(-3, 3, (len(scene[2]), 2)).astype(np.float32)
    _assert_same_step(anatomy, busy_env, scene, _moved(scene, offset))


def test_turning_only_the_animal_does_change_what_it_sees(
    anatomy: Anatomy, busy_env: EnvSection, make_scene: Callable[[int, float], Scene]
) -> None:
    """The invariance is not bought by ignoring the heading, while there is a target."""
    state, sensed, action = make_scene(0, 0.4)
    state = state._replace(struck=np.full_like(state.struck, -1))
    turned = _turned((state, sensed, action), np.full(len(action), 0.5))[1]
    a, b = (task.judge(np, anatomy, busy_env, state, s, action) for s in (sensed, turned))
    upright = ~sensed.diverged
    assert (np.abs(a.observation - b.observation)[upright].max(axis=1) > 0.01).all()
