"""A world whose physics broke down ends alone and quietly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy

Scene = tuple[task.Memory, task.Sensed, NDArray[np.float32]]
BROKEN = 3


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_a_broken_world_ends_and_touches_no_other(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene, value: float
) -> None:
    memory, sensed, action = scene
    parts = {name: part.copy() for name, part in sensed._asdict().items()}
    for name in ("qpos", "qvel", "foot_force", "actuator_force", "site_pos"):
        parts[name][BROKEN] = value
    parts["diverged"][BROKEN] = True
    bad_action = action.copy()
    bad_action[BROKEN] = np.nan
    healthy = task.step(np, anatomy, busy_env, *scene)
    with np.errstate(all="raise"):
        broken = task.step(np, anatomy, busy_env, memory, task.Sensed(**parts), bad_action)

    others = np.arange(len(action)) != BROKEN
    np.testing.assert_array_equal(broken.observation[others], healthy.observation[others])
    np.testing.assert_array_equal(broken.terminated[others], healthy.terminated[others])
    for term in healthy.rewards:
        np.testing.assert_array_equal(broken.rewards[term][others], healthy.rewards[term][others])
        assert np.isfinite(broken.rewards[term][BROKEN]), term
    assert np.isfinite(broken.observation[BROKEN]).all()
    assert np.isfinite(broken.memory.prev_action).all()
    assert broken.terminated[BROKEN]
    assert not broken.truncated[BROKEN]
    assert [name for name, ended in broken.reasons.items() if ended[BROKEN]] == ["diverged"]
    assert broken.rewards["alive"][BROKEN] == 0
