"""The reward terms: names, signs, and what staying alive means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection, load_file
from mesozoic.species.anatomy import Anatomy
from mesozoic.species.stages import configs_folder
from mesozoic.task.reach_terms import FASTEST
from mesozoic.task.reward import RAMPED, SIGNED

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]
Standing = Callable[[EnvSection, int], Scene]
BONUSES = {"alive_bonus", "task_bonus"}


def test_every_term_has_its_weight_and_every_weight_its_term() -> None:
    keys = {task.weight_key(term) for term in task.TERMS}
    assert keys == {key for key in EnvSection.model_fields if key.endswith("_weight")} | BONUSES
    assert EnvSection.model_fields.keys() >= BONUSES
    assert set(SIGNED) <= set(task.TERMS)
    assert len(keys) == len(task.TERMS)


@pytest.mark.parametrize("path", sorted(configs_folder().glob("*/*.toml")), ids=lambda path: path.stem)
def test_a_stage_has_at_most_ten_terms(path: Path) -> None:
    assert 1 <= len(task.active_terms(load_file(path).env)) <= 10


def test_only_terms_with_weight_are_computed_and_scaled_by_it(anatomy: Anatomy, scene: Scene) -> None:
    single = EnvSection(alive_bonus=0.0, posture_weight=1.0)
    double = single.model_copy(update={"posture_weight": 2.0})
    state = scene[0]._replace(push_start=scene[0].push_start[:, :0], push_velocity=scene[0].push_velocity[:, :0])
    one, two = (task.judge(np, anatomy, env, state, *scene[1:]).rewards for env in (single, double))
    assert list(one) == list(two) == ["posture"]
    np.testing.assert_allclose(two["posture"], 2 * one["posture"])


def test_a_ramp_holds_back_what_a_stage_asks_for_beyond_standing(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene
) -> None:
    whole, part, none = (task.judge(np, anatomy, busy_env, *scene, ramp=share) for share in (1.0, 0.25, 0.0))
    assert set(RAMPED) < set(whole.rewards)
    for term, value in whole.rewards.items():
        for share, step in ((0.25, part), (0.0, none)):
            kept = share if term in RAMPED else 1.0
            np.testing.assert_allclose(step.rewards[term], kept * value, rtol=1e-6, err_msg=term)
            assert step.rewards[term].dtype == np.float32
    np.testing.assert_array_equal(part.observation, whole.observation)
    np.testing.assert_array_equal(none.succeeded, whole.succeeded)


@pytest.mark.parametrize("seed", range(3))
def test_bonuses_lie_in_zero_to_one_signed_terms_around_zero_and_penalties_below(
    anatomy: Anatomy, busy_env: EnvSection, make_scene: Callable[[int, float], Scene], seed: int
) -> None:
    ones = EnvSection.model_validate(busy_env.model_dump() | {task.weight_key(term): 1.0 for term in task.TERMS})
    rewards = task.judge(np, anatomy, ones, *make_scene(seed, 0.7)).rewards
    assert list(rewards) == list(task.TERMS)
    for term, value in rewards.items():
        penalty = term.endswith("_penalty") or term in ("nosedive", "smoothness")
        worst = -FASTEST if term == "approach" else -1.0
        low, high = (worst, 1.0) if term in SIGNED else (-np.inf, 0.0) if penalty else (0.0, 1.0)
        assert ((value >= low) & (value <= high)).all(), term
        assert np.ptp(value) > 0, f"{term} is the same in every scene"
        if term in SIGNED:
            assert value.min() < 0.0 < value.max(), f"{term} has only one sign"


def test_standing_still_earns_the_bonuses_of_standing_and_nothing_else(
    anatomy: Anatomy, busy_env: EnvSection, standing: Standing
) -> None:
    rewards = task.judge(np, anatomy, busy_env, *standing(busy_env, 4)).rewards
    weights = task.active_terms(busy_env)
    for term in ("alive", "posture", "pose", "heading"):
        np.testing.assert_allclose(rewards[term], weights[term], rtol=1e-5, err_msg=term)
    for term in ("nosedive", "drift_penalty", "speed_penalty", "spin_penalty", "smoothness", "lateral_penalty"):
        np.testing.assert_allclose(rewards[term], 0.0, atol=1e-6, err_msg=term)
    for term in ("forward_vel", "clearance", "flight_penalty", "approach", "task"):
        assert not rewards[term].any(), term


def test_forward_vel_is_zero_at_rest_and_highest_at_the_commanded_speed(anatomy: Anatomy, standing: Standing) -> None:
    """Also that only speed towards the target counts; the last world has reached it and should stand."""
    env = EnvSection(target_froude=0.25, forward_vel_weight=1.0, alive_bonus=0.0)
    share = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 9.0, -0.5, -9.0, 1.0, 1.0])
    expected = [0.0, 0.5, 1.0, 0.5, 0.0, -1.0, -0.5, -1.0, 0.0, 0.0]
    state, sensed, action = standing(env, len(share))
    ahead = state.target[:, :2] / np.linalg.norm(state.target[:, :2], axis=1, keepdims=True)
    ahead[8] = ahead[8, 1], -ahead[8, 0]
    qvel = sensed.qvel.copy()
    qvel[:, :2] = 0.5 * anatomy.speed_unit * share[:, None] * ahead
    state.struck[9] = 0
    rewards = task.judge(np, anatomy, env, state, sensed._replace(qvel=qvel), action).rewards
    np.testing.assert_allclose(rewards["forward_vel"], expected, atol=1e-5)
    still = env.model_copy(update={"target_froude": 0.0})
    assert not task.judge(np, anatomy, still, state, sensed._replace(qvel=qvel), action).rewards["forward_vel"].any()


def test_flight_is_to_have_no_foot_on_the_floor(anatomy: Anatomy, standing: Standing) -> None:
    env = EnvSection(flight_penalty_weight=2.0, alive_bonus=0.0)
    state, sensed, action = standing(env, 4)
    loads = np.array([[0.5, 0.5], [0.0, 0.04], [0.04, 0.0], [0.0, 0.02]], dtype=np.float32) * anatomy.weight
    step = task.judge(np, anatomy, env, state, sensed._replace(foot_force=loads), action)
    assert step.rewards["flight_penalty"].tolist() == [0.0, 0.0, 0.0, -2.0]


def test_slip_is_the_speed_of_the_feet_that_carry(anatomy: Anatomy, standing: Standing) -> None:
    """Worlds: both feet rest, one slides, the free one swings, the sliding one carries a quarter, both race, flight."""
    env = EnvSection(slip_penalty_weight=2.0, alive_bonus=0.0)
    state, sensed, action = standing(env, 6)
    state, _ = task.begin(np, anatomy, env, state, sensed)
    slow, fast = 0.3 * anatomy.speed_unit * anatomy.dt, 5.0 * anatomy.speed_unit * anatomy.dt
    moved = np.zeros((6, 2, 3), dtype=np.float32)
    moved[1:4, 0, 1] = moved[5, :, 1] = slow
    moved[4, :, 0] = fast
    moved[:, :, 2] = 0.1  # up or down is no slip
    loads = np.array([[0.5, 0.5], [1, 0], [0, 1], [0.25, 0.75], [0.5, 0.5], [0, 0]], dtype=np.float32)
    sensed = sensed._replace(foot_pos=sensed.foot_pos + moved, foot_force=loads * anatomy.weight)
    step = task.judge(np, anatomy, env, state, sensed, action)
    expected = 2.0 * np.array([0.0, -0.3, 0.0, -0.3 / 4, -1.0, 0.0])
    np.testing.assert_allclose(step.rewards["slip_penalty"], expected, atol=1e-4)
    later = task.judge(np, anatomy, env, step.state, sensed, action)
    assert not later.rewards["slip_penalty"].any()


def test_sideways_speed_is_that_of_the_torso_itself(anatomy: Anatomy, standing: Standing) -> None:
    """Worlds: forward, left, right, and so fast that the penalty saturates."""
    env = EnvSection(lateral_penalty_weight=1.0, alive_bonus=0.0)
    state, sensed, action = standing(env, 4)
    w, z = sensed.qpos[:, 3], sensed.qpos[:, 6]
    forward = np.stack([1 - 2 * z * z, 2 * w * z], axis=1)
    left = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
    qvel = sensed.qvel.copy()
    qvel[:, :2] = anatomy.speed_unit * (np.array([[0.5, 0, 0, 0]]).T * forward + np.array([[0, 0.3, -0.3, 4]]).T * left)
    step = task.judge(np, anatomy, env, state, sensed._replace(qvel=qvel), action)
    np.testing.assert_allclose(step.rewards["lateral_penalty"], [0.0, -0.3, -0.3, -1.0], atol=1e-6)


def test_alive_is_for_standing_only(anatomy: Anatomy, busy_env: EnvSection, standing: Standing) -> None:
    """Worlds: standing, airborne, low, tilted, with the tail or another part on the floor."""
    state, sensed, action = standing(busy_env, 5)
    force, qpos, clearance = sensed.foot_force.copy(), sensed.qpos.copy(), sensed.clearance.copy()
    clearance[4] = -1e-3
    force[1] = 0.0
    qpos[2, 2] *= busy_env.fall_height - 0.01
    half = np.radians(busy_env.fall_tilt + 1) / 2
    qpos[3, 3:7] = [np.cos(half), np.sin(half), 0, 0]
    step = task.judge(
        np, anatomy, busy_env, state, sensed._replace(foot_force=force, qpos=qpos, clearance=clearance), action
    )
    assert (step.rewards["alive"] > 0).tolist() == [True, False, False, False, False]
    assert step.terminated.tolist() == [False, False, True, True, True]
    assert step.reasons["low"].tolist() == [False, False, True, False, False]
    assert step.reasons["tilted"].tolist() == [False, False, False, True, False]
    assert step.reasons["touched"].tolist() == [False, False, False, False, True]


def test_an_episode_is_cut_off_at_its_last_step_unless_it_failed_or_succeeded(
    anatomy: Anatomy, busy_env: EnvSection, standing: Standing
) -> None:
    """Worlds: one step early, the last step, a fall in it, the first step, success in the last step."""
    state, sensed, action = standing(busy_env, 5)
    last = busy_env.max_episode_steps - 1
    state = state._replace(
        step=np.array([last - 1, last, last, 0, last], dtype=np.int32),
        struck=np.array([-1, -1, -1, -1, 10**6], dtype=np.int32),
    )
    qpos = sensed.qpos.copy()
    qpos[2, 2] = 0.0
    step = task.judge(np, anatomy, busy_env, state, sensed._replace(qpos=qpos), action)
    assert step.truncated.tolist() == [False, True, False, False, False]
    assert step.terminated.tolist() == [False, False, True, False, True]
    assert step.succeeded.tolist() == [False, False, False, False, True]
