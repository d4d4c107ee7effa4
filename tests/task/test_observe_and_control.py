"""What goes into a policy and what comes out of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species import get_species, species_names
from mesozoic.species.anatomy import Anatomy, anatomy_of

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]


def _blocks(anatomy: Anatomy, observation: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The parts of [..., nobs] by name."""
    layout = task.observation_layout(anatomy)
    parts = np.split(observation, np.cumsum([block.size for block in layout])[:-1], axis=-1)
    return {block.name: part for block, part in zip(layout, parts, strict=True)}


@pytest.mark.parametrize("name", species_names())
def test_the_layout_describes_the_whole_observation(name: str) -> None:
    species = get_species(name)
    anatomy = anatomy_of(species, species.load_model())
    layout = task.observation_layout(anatomy)
    assert len({block.name for block in layout}) == len(layout)
    env = EnvSection()
    state, qpos, qvel = task.reset(np, anatomy, env, np.full((2, task.uniforms_per_reset(anatomy, env)), 0.5))
    sensed = task.Sensed(
        qpos=qpos.astype(np.float32),
        qvel=qvel.astype(np.float32),
        foot_force=np.full((2, len(anatomy.foot_names)), anatomy.weight / len(anatomy.foot_names), dtype=np.float32),
        actuator_force=np.zeros((2, anatomy.nu), dtype=np.float32),
        site_pos=np.zeros((2, len(anatomy.strike_site_ids), 3), dtype=np.float32),
        foot_pos=np.zeros((2, len(anatomy.foot_names), 3), dtype=np.float32),
        clearance=np.full(2, 0.1, dtype=np.float32),
        diverged=np.zeros(2, dtype=bool),
    )
    _, observation = task.begin(np, anatomy, env, state, sensed)
    assert observation.shape == (2, task.observation_size(anatomy)) == (2, sum(block.size for block in layout))
    blocks = _blocks(anatomy, observation[0])
    # Samples of 0.5 are no noise: the animal stands at home, faces its target and does not move.
    np.testing.assert_allclose(blocks["gravity"], [0, 0, -1], atol=1e-6)
    np.testing.assert_allclose(blocks["target_dir"], [1, 0], atol=1e-6)
    assert blocks["foot_load"].sum() == pytest.approx(1.0)
    np.testing.assert_allclose(blocks["target_distance"], 1.0)
    assert np.linalg.norm(blocks["target_near"]) == pytest.approx(2.0)
    for still in ("lin_vel", "ang_vel", "height", "joint_pos", "joint_vel", "prev_action", "command", "clock"):
        np.testing.assert_allclose(blocks[still], 0.0, atol=1e-6, err_msg=still)


def test_every_block_is_finite_and_of_order_one(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    observation = task.judge(np, anatomy, busy_env, *scene).observation
    start = 0
    for block in task.observation_layout(anatomy):
        part = observation[:, start : start + block.size]
        assert np.abs(part).max() < 10.0, block.name  # false for NaN as well
        start += block.size


def test_command_and_clock_are_seen_as_they_are(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    step = task.judge(np, anatomy, busy_env, *scene)
    blocks = _blocks(anatomy, step.observation)
    going = step.state.struck < 0
    np.testing.assert_allclose(blocks["command"][:, 0], np.where(going, np.sqrt(busy_env.target_froude), 0.0))
    assert 0 < going.sum() < len(going)
    angle = np.arctan2(*blocks["clock"].T) / (2 * np.pi)
    np.testing.assert_allclose(np.abs((angle - step.state.phase + 0.5) % 1.0 - 0.5), 0.0, atol=1e-6)


def test_velocities_and_targets_are_seen_in_the_torso_frame(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene
) -> None:
    """Against the rotation matrix of MuJoCo itself."""
    import mujoco

    state, sensed, _ = scene
    sensed = sensed._replace(diverged=np.zeros_like(sensed.diverged))
    _, observation = task.begin(np, anatomy, busy_env, state, sensed)
    near = _blocks(anatomy, observation)["target_near"]
    far = 0
    for i, (row, qpos, qvel) in enumerate(zip(observation, sensed.qpos, sensed.qvel, strict=True)):
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, qpos[3:7].astype(np.float64))
        to_torso = matrix.reshape(3, 3).T
        np.testing.assert_allclose(row[:3], to_torso @ [0, 0, -1], atol=1e-5)
        np.testing.assert_allclose(row[3:6], to_torso @ qvel[:3] / anatomy.speed_unit, atol=1e-5)
        np.testing.assert_allclose(row[6:9], qvel[3:6] * anatomy.time_unit, atol=1e-5)
        target = to_torso @ (state.target[i] - qpos[:3]) / anatomy.hip_height
        distance = np.linalg.norm(target)
        far += bool(distance > 2.0)
        np.testing.assert_allclose(near[i], target * min(1.0, 2.0 / distance), atol=1e-5)
    assert 0 < far < len(near)


def test_zero_action_holds_the_home_pose(anatomy: Anatomy) -> None:
    targets = task.servo_targets(np, anatomy, np.zeros((3, anatomy.nu), dtype=np.float32))
    np.testing.assert_array_equal(targets, np.tile(anatomy.home_ctrl, (3, 1)))


def test_actions_beyond_one_are_clipped(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    state, sensed, _ = scene
    sensed = sensed._replace(diverged=np.zeros_like(sensed.diverged))
    sign = np.where(np.arange(anatomy.nu) % 2, 1.0, -1.0).astype(np.float32)
    unit = np.tile(sign, (len(state.step), 1))
    np.testing.assert_array_equal(task.servo_targets(np, anatomy, 7 * unit), task.servo_targets(np, anatomy, unit))
    wild, tame = (task.judge(np, anatomy, busy_env, state, sensed, scale * unit) for scale in (7, 1))
    np.testing.assert_array_equal(wild.observation, tame.observation)
    np.testing.assert_array_equal(wild.state.prev_action, unit)
    np.testing.assert_array_equal(wild.rewards["smoothness"], tame.rewards["smoothness"])


def test_targets_stay_in_the_range_of_the_servos(anatomy: Anatomy) -> None:
    unit = np.ones((1, anatomy.nu), dtype=np.float32)
    for action in (unit, -unit):
        targets = task.servo_targets(np, anatomy, action)
        np.testing.assert_array_equal(targets, np.clip(targets, anatomy.ctrl_low, anatomy.ctrl_high))
        assert (targets != anatomy.home_ctrl).all()
