"""Statistics merged batch by batch are those of all data at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.learn.normaliser import STD_FLOOR, Normaliser


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=6),
    st.integers(0, 2**31),
    st.floats(-1e3, 1e3),
    st.floats(0.0, 50.0),
)
def test_batches_merge_to_the_whole(sizes: list[int], seed: int, shift: float, spread: float) -> None:
    data = (np.random.default_rng(seed).normal(size=(sum(sizes), 3)) * spread + shift).astype(np.float32)
    merged = Normaliser(3)
    for batch in np.split(data, np.cumsum(sizes)[:-1]):
        merged.update(batch)
    whole = data.astype(np.float64)
    assert merged.count == len(data)
    np.testing.assert_allclose(merged.mean, whole.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(merged.var, whole.var(axis=0), rtol=1e-8, atol=1e-8 * max(1.0, shift**2))


def test_a_constant_entry_is_not_blown_up() -> None:
    normaliser = Normaliser(2)
    normaliser.update(np.array([[5.0, -3.0], [5.0, 3.0]], np.float32))
    mean, std = normaliser.shift_and_scale()
    assert mean.tolist() == [5.0, 0.0]
    assert std.tolist() == [np.float32(STD_FLOOR), 3.0]
    assert mean.dtype == std.dtype == np.float32


def test_before_any_data_observations_pass_unchanged() -> None:
    mean, std = Normaliser(4).shift_and_scale()
    assert not mean.any()
    assert (std == 1.0).all()


def test_state_is_a_snapshot_that_continues_exactly() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 10, 3)).astype(np.float32)
    original, copy = Normaliser(3), Normaliser(3)
    original.update(first)
    state = original.state()
    original.update(second)
    copy.set_state(state)
    copy.update(second)
    assert copy.count == original.count == 20
    assert copy.mean.tobytes() == original.mean.tobytes()
    assert copy.var.tobytes() == original.var.tobytes()
