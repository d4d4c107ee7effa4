"""Statistics merged batch by batch are those of all data at once, on numpy and jax.numpy alike."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mesozoic.learn.normaliser import STD_FLOOR, Moments, merge_moments, no_moments, shift_and_scale


def merged(xp: Any, moments: Moments, batch: NDArray[Any]) -> Moments:
    return merge_moments(xp, moments, float(len(batch)), batch.mean(axis=0), batch.var(axis=0))


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=6),
    st.integers(0, 2**31),
    st.floats(-1e3, 1e3),
    st.floats(0.0, 50.0),
)
def test_batches_merge_to_the_whole(sizes: list[int], seed: int, shift: float, spread: float) -> None:
    data = np.random.default_rng(seed).normal(size=(sum(sizes), 3)) * spread + shift
    moments = no_moments(np, 3)
    for batch in np.split(data, np.cumsum(sizes)[:-1]):
        moments = merged(np, moments, batch)
    assert moments.count == len(data)
    np.testing.assert_allclose(moments.mean, data.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moments.var, data.var(axis=0), rtol=1e-8, atol=1e-8 * max(1.0, shift**2))


def test_float32_stays_close_after_many_batches() -> None:
    """A training merges some thousand rollouts in float32."""
    rng = np.random.default_rng(0)
    exact, single = no_moments(np, 2), no_moments(jnp, 2)
    for _ in range(2000):
        batch = rng.normal([3.0, -0.5], [2.0, 0.1], size=(64, 2))
        exact = merged(np, exact, batch)
        single = merged(jnp, single, batch.astype(np.float32))
    assert single.mean.dtype == jnp.float32
    np.testing.assert_allclose(single.mean, exact.mean, rtol=1e-4)
    np.testing.assert_allclose(single.var, exact.var, rtol=1e-3)


@pytest.mark.parametrize("xp", [np, jnp])
def test_a_constant_entry_is_not_blown_up_and_commands_pass_as_they_are(xp: Any) -> None:
    moments = merged(xp, no_moments(xp, 3), np.array([[5.0, -3.0, 7.0], [5.0, 3.0, 9.0]], np.float32))
    mean, std = shift_and_scale(xp, moments, np.array([True, True, False]))
    assert mean.tolist() == [5.0, 0.0, 0.0]
    assert std.tolist() == [np.float32(STD_FLOOR), 3.0, 1.0]
    assert mean.dtype == std.dtype == np.float32


def test_before_any_data_observations_pass_unchanged() -> None:
    mean, std = shift_and_scale(np, no_moments(np, 4), np.ones(4, dtype=bool))
    assert not mean.any()
    assert (std == 1.0).all()
