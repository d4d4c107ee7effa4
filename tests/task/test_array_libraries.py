"""The task means the same under numpy and under jax.numpy, plain and compiled, and stays float32."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]


def _assert_same(ours: object, theirs: object) -> None:
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_reset(anatomy: Anatomy, busy_env: EnvSection, uniforms: NDArray[np.float32], compiled: bool) -> None:
    theirs = partial(task.reset, jnp, anatomy, busy_env)
    theirs = jax.jit(theirs) if compiled else theirs
    _assert_same(task.reset(np, anatomy, busy_env, uniforms), theirs(jnp.asarray(uniforms)))


@pytest.mark.parametrize("compiled", [False, True])
def test_step(anatomy: Anatomy, busy_env: EnvSection, scene: Scene, compiled: bool) -> None:
    theirs = partial(task.judge, jnp, anatomy, busy_env)
    theirs = jax.jit(theirs) if compiled else theirs
    ours = task.judge(np, anatomy, busy_env, *scene)
    assert list(ours.rewards) == list(task.TERMS)
    _assert_same(ours, theirs(*jax.tree.map(jnp.asarray, scene)))
    for some in (ours.terminated, ours.succeeded, ours.state.struck == 0):
        assert some.any()
        assert not some.all()


@pytest.mark.parametrize("calm", [{"gait_frequency": 0.0}, {"target_froude": 0.0}, {"prey_distance_range": None}])
def test_step_without_a_part_of_the_task(
    anatomy: Anatomy, busy_env: EnvSection, scene: Scene, calm: dict[str, object]
) -> None:
    env = busy_env.model_copy(update=calm)
    theirs = jax.jit(partial(task.judge, jnp, anatomy, env))(*jax.tree.map(jnp.asarray, scene))
    _assert_same(task.judge(np, anatomy, env, *scene), theirs)


def test_push_force(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    state, _, _ = scene
    ours = task.push_force(np, anatomy, busy_env, state)
    _assert_same(ours, task.push_force(jnp, anatomy, busy_env, jax.tree.map(jnp.asarray, state)))
    assert ours.any()


def test_servo_targets(anatomy: Anatomy, scene: Scene) -> None:
    _, _, action = scene
    _assert_same(task.servo_targets(np, anatomy, action), task.servo_targets(jnp, anatomy, jnp.asarray(action)))


@pytest.mark.parametrize("compiled", [False, True])
def test_begin(anatomy: Anatomy, busy_env: EnvSection, scene: Scene, compiled: bool) -> None:
    state, sensed, _ = scene
    healthy = sensed._replace(diverged=np.zeros_like(sensed.diverged))
    theirs = partial(task.begin, jnp, anatomy, busy_env)
    theirs = jax.jit(theirs) if compiled else theirs
    ours = task.begin(np, anatomy, busy_env, state, healthy)
    _assert_same(ours, theirs(*jax.tree.map(jnp.asarray, (state, healthy))))


def test_every_number_is_float32(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    state, sensed, action = scene
    step = task.judge(np, anatomy, busy_env, state, sensed, action)
    force = task.push_force(np, anatomy, busy_env, state)
    targets = task.servo_targets(np, anatomy, action)
    start, first = task.begin(np, anatomy, busy_env, state, sensed)
    clocks = {"phase": step.state.phase, "gap": step.state.gap, "first gap": start.gap}
    arrays = {"observation": step.observation, "first": first, "push": force, "targets": targets, **clocks}
    wrong = {name: array.dtype for name, array in (arrays | step.rewards).items() if array.dtype != np.float32}
    assert not wrong
    assert step.state.step.dtype == step.state.struck.dtype == np.int32


def test_no_input_is_written_to(anatomy: Anatomy, busy_env: EnvSection, scene: Scene) -> None:
    before = jax.tree.map(np.copy, scene)
    task.push_force(np, anatomy, busy_env, scene[0])
    task.begin(np, anatomy, busy_env, *scene[:2])
    task.judge(np, anatomy, busy_env, *scene)
    jax.tree.map(np.testing.assert_array_equal, scene, before)
