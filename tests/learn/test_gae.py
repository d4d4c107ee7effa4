"""Advantages against the sum that defines them, written out in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mesozoic.learn.gae import advantages


def reference(
    rewards: NDArray, values: NDArray, last: NDArray, done: NDArray, gamma: float, gae_lambda: float
) -> NDArray[np.float64]:
    """sum_l (gamma * lambda)^l * delta_{t+l}, up to and including the step that ends the episode."""
    steps, worlds = rewards.shape
    result = np.zeros((steps, worlds))
    for w in range(worlds):
        for t in range(steps):
            weight = 1.0
            for k in range(t, steps):
                following = 0.0 if done[k, w] else (last[w] if k == steps - 1 else values[k + 1, w])
                result[t, w] += weight * (rewards[k, w] + gamma * following - values[k, w])
                if done[k, w]:
                    break
                weight *= gamma * gae_lambda
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 0.999), st.floats(0.0, 1.0), st.sampled_from([0.0, 0.3, 1.0]))
def test_equals_the_defining_sum(seed: int, gamma: float, gae_lambda: float, ending: float) -> None:
    rng = np.random.default_rng(seed)
    rewards, values = rng.normal(size=(2, 7, 3)).astype(np.float32)
    last = rng.normal(size=3).astype(np.float32)
    done = rng.random((7, 3)) < ending
    got = advantages(rewards, values, last, done, gamma, gae_lambda)
    np.testing.assert_allclose(got, reference(rewards, values, last, done, gamma, gae_lambda), atol=2e-5)


def test_nothing_flows_back_across_an_end() -> None:
    rewards, values = np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32)
    done = np.array([[False], [True], [False], [False]])
    before = np.asarray(advantages(rewards, values, np.zeros(1, np.float32), done, 0.9, 0.9))
    rewards[2:] = 100.0
    after = np.asarray(advantages(rewards, values, np.full(1, 50.0, np.float32), done, 0.9, 0.9))
    assert (after[:2] == before[:2]).all()
    assert (after[2:] > before[2:]).all()


def test_a_truncated_step_with_its_bootstrap_is_worth_what_going_on_would_be() -> None:
    gamma, beyond = 0.9, 7.0
    values, last = np.array([[1.0], [2.0]], np.float32), np.array([beyond], np.float32)
    going = advantages(np.ones((2, 1), np.float32), values, last, np.zeros((2, 1), bool), gamma, 0.95)
    cut = np.array([[1.0], [1.0 + gamma * beyond]], np.float32)
    done = np.array([[False], [True]])
    np.testing.assert_allclose(
        advantages(cut, values, np.full(1, -99.0, np.float32), done, gamma, 0.95), going, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("gae_lambda", "expected"), [(0.0, 1.0 + 0.5 * 3.0 - 2.0), (1.0, 1.0 + 0.5 * (1.0 + 0.5 * 4.0) - 2.0)]
)
def test_lambda_goes_from_one_step_to_the_whole_return(gae_lambda: float, expected: float) -> None:
    values = np.array([[2.0], [3.0]], np.float32)
    got = advantages(
        np.ones((2, 1), np.float32), values, np.full(1, 4.0, np.float32), np.zeros((2, 1), bool), 0.5, gae_lambda
    )
    assert float(got[0, 0]) == pytest.approx(expected)
