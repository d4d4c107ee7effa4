"""Advantages against the sum that defines them, written out in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mesozoic.learn.ppo.gae import advantages

Array = NDArray[np.float32]


def reference(
    reward: Array, value: Array, following: Array, terminated: Array, truncated: Array, gamma: float, gae_lambda: float
) -> NDArray[np.float64]:
    """sum_l (gamma * lambda)^l * delta_{t+l}, up to and including the step that ends the episode."""
    steps, worlds = reward.shape
    result = np.zeros((steps, worlds))
    for w in range(worlds):
        for t in range(steps):
            weight = 1.0
            for k in range(t, steps):
                worth = 0.0 if terminated[k, w] else following[k, w]
                result[t, w] += weight * (reward[k, w] + gamma * worth - value[k, w])
                if terminated[k, w] or truncated[k, w]:
                    break
                weight *= gamma * gae_lambda
    return result


def chained(value: Array, last: Array) -> Array:
    """Values of the states that actions led to, for an episode that never ends."""
    return np.concatenate([value[1:], last[None]])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 0.999), st.floats(0.0, 1.0), st.sampled_from([0.0, 0.3, 1.0]))
def test_equals_the_defining_sum(seed: int, gamma: float, gae_lambda: float, ending: float) -> None:
    rng = np.random.default_rng(seed)
    reward, value, following = rng.normal(size=(3, 7, 3)).astype(np.float32)
    ended = rng.random((7, 3)) < ending
    terminated = ended & (rng.random((7, 3)) < 0.5)
    truncated = ended & ~terminated
    got = advantages(reward, value, following, terminated, truncated, gamma, gae_lambda)
    expected = reference(reward, value, following, terminated, truncated, gamma, gae_lambda)
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("how", ["terminated", "truncated"])
def test_nothing_flows_back_across_an_end(how: str) -> None:
    reward, value = np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32)
    following, never = np.zeros((4, 1), np.float32), np.zeros((4, 1), bool)
    ends = {"terminated": never, "truncated": never, how: np.array([[False], [True], [False], [False]])}
    before = np.asarray(advantages(reward, value, following, **ends, gamma=0.9, gae_lambda=0.9))
    reward[2:], following[3] = 100.0, 50.0
    after = np.asarray(advantages(reward, value, following, **ends, gamma=0.9, gae_lambda=0.9))
    assert (after[:2] == before[:2]).all()
    assert (after[2:] > before[2:]).all()


def test_running_out_of_time_is_worth_what_going_on_would_be_and_failing_is_not() -> None:
    gamma, beyond = 0.9, 7.0
    value, last = np.array([[1.0], [2.0]], np.float32), np.array([beyond], np.float32)
    reward, never, at_end = np.ones((2, 1), np.float32), np.zeros((2, 1), bool), np.array([[False], [True]])
    following = chained(value, last)
    going = advantages(reward, value, following, never, never, gamma, 0.95)
    np.testing.assert_allclose(advantages(reward, value, following, never, at_end, gamma, 0.95), going, rtol=1e-6)
    failed = advantages(reward, value, following, at_end, never, gamma, 0.95)
    np.testing.assert_allclose(float(going[1, 0]) - float(failed[1, 0]), gamma * beyond, rtol=1e-5)


@pytest.mark.parametrize(
    ("gae_lambda", "expected"), [(0.0, 1.0 + 0.5 * 3.0 - 2.0), (1.0, 1.0 + 0.5 * (1.0 + 0.5 * 4.0) - 2.0)]
)
def test_lambda_goes_from_one_step_to_the_whole_return(gae_lambda: float, expected: float) -> None:
    value, never = np.array([[2.0], [3.0]], np.float32), np.zeros((2, 1), bool)
    following = chained(value, np.full(1, 4.0, np.float32))
    got = advantages(np.ones((2, 1), np.float32), value, following, never, never, 0.5, gae_lambda)
    assert float(got[0, 0]) == pytest.approx(expected)


def test_equals_a_bootstrap_that_is_added_to_the_reward() -> None:
    """The two ways of writing it: the value of what would follow inside the reward, or inside the recursion."""
    rng = np.random.default_rng(0)
    gamma, gae_lambda, shape = 0.99, 0.95, (32, 16)
    value, reward = rng.normal(size=(2, *shape)).astype(np.float32)
    terminated = rng.random(shape) < 0.1
    truncated = (rng.random(shape) < 0.1) & ~terminated
    following = chained(value, rng.normal(size=16).astype(np.float32))
    following = np.where(truncated, rng.normal(size=shape).astype(np.float32), following)
    never = np.zeros(shape, bool)
    ours = advantages(reward, value, following, terminated, truncated, gamma, gae_lambda)
    added = reward + np.float32(gamma) * following * truncated
    theirs = advantages(added, value, following, terminated | truncated, never, gamma, gae_lambda)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
