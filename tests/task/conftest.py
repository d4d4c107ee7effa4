"""Random scenes: many worlds in all sorts of states, as plain arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import FREE_QPOS, FREE_QVEL, Anatomy

N = 64
STRIKING = 4
"""Every so many worlds of a scene a strike site touches the target."""
Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]


def _f32(values: NDArray) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


@pytest.fixture(scope="session")
def uniforms(anatomy: Anatomy, busy_env: EnvSection) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    return rng.random((N, task.uniforms_per_reset(anatomy, busy_env)), dtype=np.float32)


@pytest.fixture(scope="session")
def make_scene(anatomy: Anatomy, busy_env: EnvSection, uniforms: NDArray[np.float32]) -> Callable[[int, float], Scene]:
    """`make_scene(seed, tilt)`: worlds in the middle of an episode, tilted by about `tilt` radians."""

    def make(seed: int, tilt: float) -> Scene:
        rng = np.random.default_rng(seed)
        state, qpos, qvel = task.reset(np, anatomy, busy_env, uniforms)
        quaternion = np.concatenate([np.ones((N, 1)), tilt / 2 * rng.normal(size=(N, 3))], axis=1)
        turned = np.stack([quaternion[:, 0], quaternion[:, 1], quaternion[:, 2], rng.normal(size=N)], axis=1)
        qpos[:, :2] = rng.uniform(-0.4, 0.4, (N, 2))
        qpos[:, 2] *= rng.uniform(0.4, 1.2, N)
        qpos[:, 3:7] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
        qpos[:, FREE_QPOS:] += rng.uniform(-0.5, 0.5, (N, anatomy.nj))
        qvel[:, :FREE_QVEL] = rng.uniform(-1.5, 1.5, (N, FREE_QVEL))
        qvel[:, FREE_QVEL:] = rng.uniform(-4.0, 4.0, (N, anatomy.nv - FREE_QVEL))
        length, sites, feet = anatomy.hip_height, len(anatomy.strike_site_ids), len(anatomy.foot_names)
        site_pos = qpos[:, None, :3] + length * rng.normal(0, 0.4, (N, sites, 3))
        site_pos[::STRIKING, 0] = state.target[::STRIKING]
        foot_pos = qpos[:, None, :3] + length * rng.normal(0, 0.2, (N, feet, 3))
        foot_pos[:, :, 2] = anatomy.foot_height + length * rng.uniform(-0.02, 0.2, (N, feet))
        gap = np.linalg.norm(site_pos - state.target[:, None], axis=2).min(axis=1) / length
        state = state._replace(
            step=rng.integers(0, busy_env.max_episode_steps, N).astype(np.int32),
            prev_action=_f32(rng.uniform(-1, 1, (N, anatomy.nu))),
            origin=_f32(rng.uniform(-0.4, 0.4, (N, 2))),
            gap=_f32(gap + rng.normal(0, 0.1, N)),
            struck=np.where(np.arange(N) % 3 == 2, rng.integers(0, 8, N), -1).astype(np.int32),
        )
        sensed = task.Sensed(
            qpos=_f32(qpos),
            qvel=_f32(qvel),
            foot_force=_f32(rng.uniform(0, anatomy.weight, (N, feet)) * (rng.random((N, feet)) < 0.6)),
            actuator_force=_f32(rng.normal(0, 3.0, (N, anatomy.nu))),
            site_pos=_f32(site_pos),
            foot_pos=_f32(foot_pos),
            clearance=_f32(length * np.where(np.arange(N) % 8 == 5, -0.1, 0.4)),
            diverged=np.arange(N) % 16 == 15,
        )
        return state, sensed, _f32(rng.uniform(-1.5, 1.5, (N, anatomy.nu)))

    return make


@pytest.fixture(scope="session")
def scene(make_scene: Callable[[int, float], Scene]) -> Scene:
    return make_scene(0, 0.7)


@pytest.fixture(scope="session")
def standing(anatomy: Anatomy) -> Callable[[EnvSection, int], Scene]:
    """`standing(env, n)`: worlds that stand at home, feet loaded, right after a reset without noise.

    The target is straight ahead; all strike sites are on the floor under the torso.
    """

    def stand(env: EnvSection, n: int) -> Scene:
        feet, sites = len(anatomy.foot_names), len(anatomy.strike_site_ids)
        samples = np.full((n, task.uniforms_per_reset(anatomy, env)), 0.5, dtype=np.float32)
        state, qpos, _ = task.reset(np, anatomy, env, samples)
        foot_pos = np.zeros((n, feet, 3), dtype=np.float32)
        foot_pos[:, :, 2] = anatomy.foot_height
        sensed = task.Sensed(
            qpos=qpos,
            qvel=np.zeros((n, anatomy.nv), dtype=np.float32),
            foot_force=np.full((n, feet), anatomy.weight / feet, dtype=np.float32),
            actuator_force=np.ones((n, anatomy.nu), dtype=np.float32),
            site_pos=np.zeros((n, sites, 3), dtype=np.float32),
            foot_pos=foot_pos,
            clearance=np.full(n, 0.1, dtype=np.float32),
            diverged=np.zeros(n, dtype=bool),
        )
        state, _ = task.begin(np, anatomy, env, state, sensed)
        return state, sensed, np.zeros((n, anatomy.nu), dtype=np.float32)

    return stand
