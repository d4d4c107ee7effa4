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
Scene = tuple[task.Memory, task.Sensed, NDArray[np.float32]]


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
        memory, qpos, qvel = task.reset(np, anatomy, busy_env, uniforms)
        quaternion = np.concatenate([np.ones((N, 1)), tilt / 2 * rng.normal(size=(N, 3))], axis=1)
        turned = np.stack([quaternion[:, 0], quaternion[:, 1], quaternion[:, 2], rng.normal(size=N)], axis=1)
        qpos[:, :2] = rng.uniform(-0.4, 0.4, (N, 2))
        qpos[:, 2] *= rng.uniform(0.4, 1.2, N)
        qpos[:, 3:7] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
        qpos[:, FREE_QPOS:] += rng.uniform(-0.5, 0.5, (N, anatomy.nj))
        qvel[:, :FREE_QVEL] = rng.uniform(-1.5, 1.5, (N, FREE_QVEL))
        qvel[:, FREE_QVEL:] = rng.uniform(-4.0, 4.0, (N, anatomy.nv - FREE_QVEL))
        memory = memory._replace(
            step=rng.integers(0, busy_env.max_episode_steps, N).astype(np.int32),
            prev_action=_f32(rng.uniform(-1, 1, (N, anatomy.nu))),
            origin=_f32(rng.uniform(-0.4, 0.4, (N, 2))),
        )
        sensed = task.Sensed(
            qpos=_f32(qpos),
            qvel=_f32(qvel),
            foot_force=_f32(rng.uniform(0, anatomy.weight, (N, len(anatomy.foot_names)))),
            actuator_force=_f32(rng.normal(0, 3.0, (N, anatomy.nu))),
            site_pos=_f32(rng.normal(size=(N, len(anatomy.strike_site_ids), 3))),
            diverged=np.arange(N) % 16 == 15,
        )
        return memory, sensed, _f32(rng.uniform(-1.5, 1.5, (N, anatomy.nu)))

    return make


@pytest.fixture(scope="session")
def scene(make_scene: Callable[[int, float], Scene]) -> Scene:
    return make_scene(0, 0.7)
