"""The mirror image of an episode is an episode: physics, observation and reward agree with the mirror maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.sim.native_env import native_env
from mesozoic.species import get_species, species_names
from mesozoic.species.anatomy import FREE_QPOS, FREE_QVEL, Anatomy, anatomy_of
from mesozoic.task.mirror import Mirror

STEPS = 25
Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]


def mirrored(x: np.ndarray, mirror: Mirror) -> np.ndarray:
    return x[..., mirror.source] * mirror.sign


def _walking(env: EnvSection, anatomy: Anatomy) -> EnvSection:
    """The same, with a gait for as many feet as the animal has."""
    offsets = tuple(0.5 if "right" in foot else 0.0 for foot in anatomy.foot_names)
    return env.model_copy(update={"gait_offsets": offsets})


def _flipped(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n, ..., 2 or 3] points or vectors on the other side."""
    result = points.copy()
    result[..., 1] *= -1
    return result


def _mirrored_scene(anatomy: Anatomy, scene: Scene) -> Scene:
    state, sensed, action = scene
    joints, actuators = Mirror(anatomy.joint_mirror, anatomy.joint_mirror_sign), task.mirror_action(anatomy)
    qpos, qvel = sensed.qpos.copy(), sensed.qvel.copy()
    qpos[:, 1] *= -1
    qpos[:, [4, 6]] *= -1  # turns about x and z
    qvel[:, [1, 3, 5]] *= -1
    qpos[:, FREE_QPOS:] = mirrored(qpos[:, FREE_QPOS:] - anatomy.home_qpos[FREE_QPOS:], joints)
    qpos[:, FREE_QPOS:] += anatomy.home_qpos[FREE_QPOS:]
    qvel[:, FREE_QVEL:] = mirrored(qvel[:, FREE_QVEL:], joints)
    state = state._replace(
        prev_action=mirrored(state.prev_action, actuators),
        origin=_flipped(state.origin),
        target=_flipped(state.target),
        phase=(state.phase + np.float32(0.5)) % np.float32(1.0),
        push_velocity=_flipped(state.push_velocity),
    )
    sensed = sensed._replace(
        qpos=qpos,
        qvel=qvel,
        foot_force=sensed.foot_force[:, anatomy.foot_mirror],
        actuator_force=mirrored(sensed.actuator_force, actuators),
        site_pos=_flipped(sensed.site_pos),
        foot_pos=_flipped(sensed.foot_pos)[:, anatomy.foot_mirror],
    )
    return state, sensed, mirrored(action, actuators)


@pytest.mark.parametrize("name", species_names())
def test_mirroring_twice_changes_nothing(name: str) -> None:
    species = get_species(name)
    anatomy = anatomy_of(species, species.load_model())
    for mirror in (task.mirror_observation(anatomy), task.mirror_action(anatomy)):
        x = np.random.default_rng(0).normal(size=(3, len(mirror.source)))
        np.testing.assert_array_equal(mirrored(mirrored(x, mirror), mirror), x)
        assert not np.array_equal(mirrored(x, mirror), x)


@pytest.mark.parametrize("seed", range(3))
def test_the_mirror_image_of_a_step_means_the_same(
    anatomy: Anatomy, busy_env: EnvSection, make_scene: Callable[[int, float], Scene], seed: int
) -> None:
    """Without physics, so to the last digit. The clock of the mirror image is half a stride later."""
    scene = make_scene(seed, 0.5)
    a, b = (task.judge(np, anatomy, busy_env, *s) for s in (scene, _mirrored_scene(anatomy, scene)))
    seen = task.mirror_observation(anatomy)
    np.testing.assert_allclose(b.observation, mirrored(a.observation, seen), atol=1e-5)
    assert list(a.rewards) == list(task.TERMS)
    for term in a.rewards:
        np.testing.assert_allclose(b.rewards[term], a.rewards[term], atol=1e-5, err_msg=term)
    for name in ("succeeded", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(b, name), getattr(a, name), err_msg=name)
    np.testing.assert_array_equal(b.state.struck, a.state.struck)


@pytest.mark.parametrize("name", species_names())
def test_world_1_lives_the_mirror_image_of_world_0(name: str, busy_env: EnvSection) -> None:
    """Through the physics, with a clock, a target at an angle, prey to reach and a push from the side."""
    species = get_species(name)
    body = anatomy_of(species, species.load_model())
    env = native_env(species, _walking(busy_env, body), 2, 0, auto_reset=False)
    env.reset()
    seen, done = task.mirror_observation(body), task.mirror_action(body)
    rng = np.random.default_rng(1)

    qpos = np.tile(body.home_qpos, (2, 1))
    joints = rng.uniform(-0.05, 0.05, len(body.joint_mirror)).astype(np.float32)
    qpos[0, 7:] += joints
    qpos[1, 7:] += mirrored(joints, Mirror(body.joint_mirror, body.joint_mirror_sign))
    env.engine.reset(np.ones(2, dtype=bool), qpos, np.zeros((2, body.nv), dtype=np.float32), {})
    target = np.tile(body.hip_height * np.array([1.5, 0.4, 0.8], np.float32), (2, 1))
    push_start = np.full_like(env.task_state.push_start, 10**6)
    push_start[:, 0] = 5
    push_velocity = np.tile(np.array([0.1, 0.3], np.float32), (2, env.task_state.push_velocity.shape[1], 1))
    for part in (target, push_velocity):
        part[1, ..., 1] *= -1
    state = env.task_state._replace(
        target=target,
        phase=np.array([0.1, 0.6], dtype=np.float32),
        push_start=push_start,
        push_velocity=push_velocity,
    )
    env.task_state, first = task.begin(np, body, env.env, state, env.engine.sensed())
    np.testing.assert_allclose(first[1], mirrored(first[0], seen), atol=2e-3)

    for _ in range(STEPS):
        action = rng.uniform(-0.3, 0.3, (2, body.nu)).astype(np.float32)
        action[1] = mirrored(action[0], done)
        result = env.step(action)
        np.testing.assert_allclose(result.observation[1], mirrored(result.observation[0], seen), atol=2e-3)
        for term, value in result.terms.items():
            np.testing.assert_allclose(value[1], value[0], atol=2e-3 * max(1.0, abs(value[0])), err_msg=term)
    assert not np.allclose(result.observation[0], result.observation[1], atol=0.02), "the episode is lopsided"
