"""What goes into a policy and what comes out of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species import get_species, species_names
from mesozoic.species.anatomy import Anatomy, anatomy_of

Scene = tuple[task.Memory, task.Sensed, NDArray[np.float32]]


@pytest.mark.parametrize("name", species_names())
def test_the_layout_describes_the_whole_observation(name: str) -> None:
    species = get_species(name)
    anatomy = anatomy_of(species, species.load_model())
    layout = task.observation_layout(anatomy)
    assert len({block.name for block in layout}) == len(layout)
    env = EnvSection()
    memory, qpos, qvel = task.reset(np, anatomy, env, np.full((2, task.uniforms_per_reset(anatomy, env)), 0.5))
    sensed = task.Sensed(
        qpos=qpos.astype(np.float32),
        qvel=qvel.astype(np.float32),
        foot_force=np.full((2, len(anatomy.foot_names)), anatomy.weight / len(anatomy.foot_names), dtype=np.float32),
        actuator_force=np.zeros((2, anatomy.nu), dtype=np.float32),
        site_pos=np.zeros((2, len(anatomy.strike_site_ids), 3), dtype=np.float32),
        diverged=np.zeros(2, dtype=bool),
    )
    observation = task.first_observation(np, anatomy, memory, sensed)
    assert observation.shape == (2, task.observation_size(anatomy)) == (2, sum(block.size for block in layout))
    parts = np.split(observation[0], np.cumsum([block.size for block in layout])[:-1])
    blocks = {block.name: part for block, part in zip(layout, parts, strict=True)}
    # Samples of 0.5 are no noise: the animal stands at home, faces its target and does not move.
    np.testing.assert_allclose(blocks["gravity"], [0, 0, -1], atol=1e-6)
    np.testing.assert_allclose(blocks["target_dir"], [1, 0], atol=1e-6)
    assert blocks["foot_load"].sum() == pytest.approx(1.0)
    for still in ("lin_vel", "ang_vel", "height", "joint_pos", "joint_vel", "prev_action"):
        np.testing.assert_allclose(blocks[still], 0.0, atol=1e-6, err_msg=still)


def test_every_block_is_finite_and_of_order_one(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    observation = task.step(np, anatomy, busy_env, *scene).observation
    start = 0
    for block in task.observation_layout(anatomy):
        part = observation[:, start : start + block.size]
        assert np.abs(part).max() < 10.0, block.name  # false for NaN as well
        start += block.size


def test_velocities_are_seen_in_the_torso_frame(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    """Against the rotation matrix of MuJoCo itself."""
    import mujoco

    memory, sensed, _ = scene
    sensed = sensed._replace(diverged=np.zeros_like(sensed.diverged))
    observation = task.first_observation(np, anatomy, memory, sensed)
    for row, qpos, qvel in zip(observation, sensed.qpos, sensed.qvel, strict=True):
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, qpos[3:7].astype(np.float64))
        to_torso = matrix.reshape(3, 3).T
        np.testing.assert_allclose(row[:3], to_torso @ [0, 0, -1], atol=1e-5)
        np.testing.assert_allclose(row[3:6], to_torso @ qvel[:3] / anatomy.speed_unit, atol=1e-5)
        np.testing.assert_allclose(row[6:9], qvel[3:6] * anatomy.time_unit, atol=1e-5)


def test_zero_action_holds_the_home_pose(anatomy: Anatomy) -> None:
    targets = task.servo_targets(np, anatomy, np.zeros((3, anatomy.nu), dtype=np.float32))
    np.testing.assert_array_equal(targets, np.tile(anatomy.home_ctrl, (3, 1)))


def test_actions_beyond_one_are_clipped(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    memory, sensed, _ = scene
    sensed = sensed._replace(diverged=np.zeros_like(sensed.diverged))
    sign = np.where(np.arange(anatomy.nu) % 2, 1.0, -1.0).astype(np.float32)
    unit = np.tile(sign, (len(memory.step), 1))
    np.testing.assert_array_equal(task.servo_targets(np, anatomy, 7 * unit), task.servo_targets(np, anatomy, unit))
    wild, tame = (task.step(np, anatomy, busy_env, memory, sensed, scale * unit) for scale in (7, 1))
    np.testing.assert_array_equal(wild.observation, tame.observation)
    np.testing.assert_array_equal(wild.memory.prev_action, unit)
    np.testing.assert_array_equal(wild.rewards["smoothness"], tame.rewards["smoothness"])


def test_targets_stay_in_the_range_of_the_servos(anatomy: Anatomy) -> None:
    unit = np.ones((1, anatomy.nu), dtype=np.float32)
    for action in (unit, -unit):
        targets = task.servo_targets(np, anatomy, action)
        np.testing.assert_array_equal(targets, np.clip(targets, anatomy.ctrl_low, anatomy.ctrl_high))
        assert (targets != anatomy.home_ctrl).all()
