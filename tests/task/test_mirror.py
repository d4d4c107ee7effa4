"""The mirror image of an episode is an episode: physics, observation and reward agree with the mirror maps."""

from __future__ import annotations

import numpy as np
import pytest

from mesozoic import task
from mesozoic.config import load_stage
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.species import get_species, species_names
from mesozoic.task.mirror import Mirror

STEPS = 25


def mirrored(x: np.ndarray, mirror: Mirror) -> np.ndarray:
    return x[..., mirror.source] * mirror.sign


@pytest.mark.parametrize("name", species_names())
def test_mirroring_twice_changes_nothing(name: str) -> None:
    env = BatchEnv(get_species(name), load_stage(name, 1).env, 1, 0)
    for mirror in (task.mirror_observation(env.anatomy), task.mirror_action(env.anatomy)):
        x = np.random.default_rng(0).normal(size=(3, len(mirror.source)))
        np.testing.assert_array_equal(mirrored(mirrored(x, mirror), mirror), x)
        assert not np.array_equal(mirrored(x, mirror), x)


@pytest.mark.parametrize("name", species_names())
def test_world_1_lives_the_mirror_image_of_world_0(name: str) -> None:
    env = BatchEnv(get_species(name), load_stage(name, 1).env, 2, 0)
    env.reset()
    seen, done = task.mirror_observation(env.anatomy), task.mirror_action(env.anatomy)
    body = env.anatomy
    rng = np.random.default_rng(1)

    qpos = np.tile(body.home_qpos, (2, 1))
    joints = rng.uniform(-0.05, 0.05, len(body.joint_mirror)).astype(np.float32)
    qpos[0, 7:] += joints
    qpos[1, 7:] += mirrored(joints, Mirror(body.joint_mirror, body.joint_mirror_sign))
    env.engine.reset(np.ones(2, dtype=bool), qpos, np.zeros((2, body.nv), dtype=np.float32))
    target = np.tile(np.array([10.0, 2.0, 0.0], np.float32), (2, 1))
    target[1, 1] *= -1
    push_start = np.full_like(env.memory.push_start, 10**6)
    push_start[:, 0] = 5
    push_velocity = np.tile(np.array([0.1, 0.3], np.float32), (2, env.memory.push_velocity.shape[1], 1))
    push_velocity[1, :, 1] *= -1
    env.memory = env.memory._replace(target=target, push_start=push_start, push_velocity=push_velocity)

    for _ in range(STEPS):
        action = rng.uniform(-0.3, 0.3, (2, body.nu)).astype(np.float32)
        action[1] = mirrored(action[0], done)
        result = env.step(action)
        np.testing.assert_allclose(result.observation[1], mirrored(result.observation[0], seen), atol=2e-3)
        np.testing.assert_allclose(result.reward[1], result.reward[0], atol=2e-3)
    assert not np.allclose(result.observation[0], result.observation[1], atol=0.02), "the episode is lopsided"
