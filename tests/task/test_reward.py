"""The reward terms: names, signs, and what staying alive means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection, configs_folder, load_file
from mesozoic.species.anatomy import Anatomy

Scene = tuple[task.Memory, task.Sensed, NDArray[np.float32]]


def _standing(anatomy: Anatomy, env: EnvSection, n: int = 4) -> Scene:
    """Worlds that stand at home, feet loaded, right after a reset without noise."""
    memory, qpos, _ = task.reset(np, anatomy, env, np.full((n, task.uniforms_per_reset(anatomy, env)), 0.5, np.float32))
    sensed = task.Sensed(
        qpos=qpos,
        qvel=np.zeros((n, anatomy.nv), dtype=np.float32),
        foot_force=np.full((n, len(anatomy.foot_names)), anatomy.weight / len(anatomy.foot_names), dtype=np.float32),
        actuator_force=np.ones((n, anatomy.nu), dtype=np.float32),
        site_pos=np.zeros((n, len(anatomy.strike_site_ids), 3), dtype=np.float32),
        diverged=np.zeros(n, dtype=bool),
    )
    return memory, sensed, np.zeros((n, anatomy.nu), dtype=np.float32)


def test_every_term_has_its_weight_and_every_weight_its_term() -> None:
    keys = {task.weight_key(term) for term in task.TERMS}
    assert keys == {key for key in EnvSection.model_fields if key.endswith("_weight") or key == "alive_bonus"}
    assert len(keys) == len(task.TERMS)


@pytest.mark.parametrize("path", sorted(configs_folder().glob("*/*.toml")), ids=lambda path: path.stem)
def test_a_stage_has_at_most_ten_terms(path: Path) -> None:
    assert 1 <= len(task.active_terms(load_file(path).env)) <= 10


def test_only_terms_with_weight_are_computed_and_scaled_by_it(anatomy: Anatomy, scene: Scene) -> None:
    single = EnvSection(alive_bonus=0.0, posture_weight=1.0)
    double = single.model_copy(update={"posture_weight": 2.0})
    memory = scene[0]._replace(push_start=scene[0].push_start[:, :0], push_velocity=scene[0].push_velocity[:, :0])
    one, two = (task.step(np, anatomy, env, memory, *scene[1:]).rewards for env in (single, double))
    assert list(one) == list(two) == ["posture"]
    np.testing.assert_allclose(two["posture"], 2 * one["posture"])


def test_bonuses_lie_in_zero_to_one_and_penalties_below_zero(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene
) -> None:
    ones = EnvSection.model_validate(busy_env.model_dump() | {task.weight_key(term): 1.0 for term in task.TERMS})
    for term, value in task.step(np, anatomy, ones, *scene).rewards.items():
        penalty = term.endswith("_penalty") or term in ("nosedive", "smoothness")
        assert (value <= 0.0).all() if penalty else ((value >= 0.0) & (value <= 1.0)).all(), term
        assert np.ptp(value) > 0, f"{term} is the same in every scene"


def test_standing_still_earns_every_bonus_and_no_penalty(anatomy: Anatomy, busy_env: EnvSection) -> None:
    rewards = task.step(np, anatomy, busy_env, *_standing(anatomy, busy_env)).rewards
    weights = task.active_terms(busy_env)
    for term in ("alive", "posture", "pose", "heading"):
        np.testing.assert_allclose(rewards[term], weights[term], rtol=1e-5, err_msg=term)
    for term in ("nosedive", "drift_penalty", "speed_penalty", "spin_penalty", "smoothness"):
        np.testing.assert_allclose(rewards[term], 0.0, atol=1e-6, err_msg=term)


def test_alive_is_for_standing_only(anatomy: Anatomy, busy_env: EnvSection) -> None:
    """Worlds: standing, airborne, low, tilted."""
    memory, sensed, action = _standing(anatomy, busy_env)
    force, qpos = sensed.foot_force.copy(), sensed.qpos.copy()
    force[1] = 0.0
    qpos[2, 2] *= busy_env.fall_height - 0.01
    half = np.radians(busy_env.fall_tilt + 1) / 2
    qpos[3, 3:7] = [np.cos(half), np.sin(half), 0, 0]
    step = task.step(np, anatomy, busy_env, memory, sensed._replace(foot_force=force, qpos=qpos), action)
    assert (step.rewards["alive"] > 0).tolist() == [True, False, False, False]
    assert step.terminated.tolist() == [False, False, True, True]
    assert step.reasons["low"].tolist() == [False, False, True, False]
    assert step.reasons["tilted"].tolist() == [False, False, False, True]


def test_an_episode_is_cut_off_at_its_last_step_unless_it_failed(anatomy: Anatomy, busy_env: EnvSection) -> None:
    memory, sensed, action = _standing(anatomy, busy_env)
    last = busy_env.max_episode_steps - 1
    memory = memory._replace(step=np.array([last - 1, last, last, 0], dtype=np.int32))
    qpos = sensed.qpos.copy()
    qpos[2, 2] = 0.0
    step = task.step(np, anatomy, busy_env, memory, sensed._replace(qpos=qpos), action)
    assert step.truncated.tolist() == [False, True, False, False]
    assert step.terminated.tolist() == [False, False, True, False]
