"""A world whose physics broke down ends alone and quietly."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]
BROKEN = 3


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_a_broken_world_ends_and_touches_no_other(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene, value: float
) -> None:
    state, sensed, action = scene
    parts = {name: part.copy() for name, part in sensed._asdict().items()}
    for name in ("qpos", "qvel", "foot_force", "actuator_force", "site_pos", "foot_pos"):
        parts[name][BROKEN] = value
    parts["diverged"][BROKEN] = True
    bad_action = action.copy()
    bad_action[BROKEN] = np.nan
    healthy = task.judge(np, anatomy, busy_env, *scene)
    with np.errstate(all="raise", under="ignore"):  # a bonus may well fade out to 0
        broken = task.judge(np, anatomy, busy_env, state, task.Sensed(**parts), bad_action)

    others = np.arange(len(action)) != BROKEN
    np.testing.assert_array_equal(broken.observation[others], healthy.observation[others])
    np.testing.assert_array_equal(broken.terminated[others], healthy.terminated[others])
    for term in healthy.rewards:
        np.testing.assert_array_equal(broken.rewards[term][others], healthy.rewards[term][others])
        assert np.isfinite(broken.rewards[term][BROKEN]), term
    assert np.isfinite(broken.observation[BROKEN]).all()
    assert np.isfinite(broken.state.prev_action).all()
    assert broken.terminated[BROKEN]
    assert not broken.truncated[BROKEN]
    assert [name for name, ended in broken.reasons.items() if ended[BROKEN]] == ["diverged"]
    assert broken.rewards["alive"][BROKEN] == 0


@pytest.mark.parametrize("struck", [-1, 0, 3, 4, 5, 100])
def test_a_broken_world_is_finite_throughout_and_never_succeeds(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene, struck: int
) -> None:
    """Whether it had not struck yet, had just, or was about to succeed.

    Twice: with nothing in it a number, and with plain numbers and its strike sites on the target.
    """
    state, sensed, action = scene
    state = state._replace(struck=np.full_like(state.struck, struck))
    nothing = {name: np.full_like(part, np.nan) for name, part in sensed._asdict().items() if name != "diverged"}
    plain = {"site_pos": np.repeat(state.target[:, None], sensed.site_pos.shape[1], axis=1)}
    for parts, moves in ((nothing, np.full_like(action, np.nan)), (plain, action)):
        broken = sensed._replace(**parts, diverged=np.ones_like(sensed.diverged))
        with np.errstate(all="raise", under="ignore"):
            step = task.judge(np, anatomy, busy_env, state, broken, moves)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(step))
        assert step.terminated.all()
        assert not (step.succeeded.any() or step.truncated.any() or step.rewards["task"].any())
        assert (step.state.struck != 0).all(), "a world that broke down has struck its target"
