"""How an episode begins: home pose, any heading, and noise of the size that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy

N = 500


def _reset(anatomy: Anatomy, noise: float) -> tuple[task.TaskState, NDArray[np.float32], NDArray[np.float32]]:
    env = EnvSection(reset_noise_scale=noise)
    samples = np.random.default_rng(0).random((N, task.uniforms_per_reset(anatomy, env)), dtype=np.float32)
    return task.reset(np, anatomy, env, samples)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_noise_fills_its_range_and_no_more(anatomy: Anatomy, noise: float) -> None:
    _, qpos, qvel = _reset(anatomy, noise)
    units = np.array([anatomy.speed_unit] * 3 + [1 / anatomy.time_unit] * (anatomy.nv - 3))
    for part in (qpos[:, 7:] - anatomy.home_qpos[7:], qvel / units):
        np.testing.assert_allclose(part.max(axis=0), noise, atol=0.05 * noise + 1e-6)
        np.testing.assert_allclose(part.min(axis=0), -noise, atol=0.05 * noise + 1e-6)


def test_headings_are_uniform_and_the_target_lies_straight_ahead(anatomy: Anatomy) -> None:
    state, qpos, _ = _reset(anatomy, 0.05)
    w, x, y, z = qpos[:, 3:7].T
    assert not x.any()
    assert not y.any()
    yaw = 2 * np.arctan2(z, w)
    np.testing.assert_allclose(np.bincount((yaw % (2 * np.pi) / (np.pi / 2)).astype(int)) / N, 0.25, atol=0.06)
    ahead = state.target[:, :2] / np.linalg.norm(state.target[:, :2], axis=1, keepdims=True)
    np.testing.assert_allclose(ahead, np.stack([np.cos(yaw), np.sin(yaw)], axis=1), atol=1e-5)


def test_it_stands_at_home_height_and_at_its_origin(anatomy: Anatomy) -> None:
    state, qpos, _ = _reset(anatomy, 0.05)
    np.testing.assert_array_equal(qpos[:, :3], [[0, 0, anatomy.home_qpos[2]]] * N)
    np.testing.assert_array_equal(qpos[:, :2], state.origin)
    assert not state.step.any()
    assert not state.prev_action.any()
