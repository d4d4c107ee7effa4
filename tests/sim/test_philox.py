"""The samples of a device are those of the host, bit for bit."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesozoic.errors import UserError
from mesozoic.sim import philox
from mesozoic.sim.samples import AGE_EPISODE, Stream, episode_uniforms

WORLDS = 64
COUNTS = (1, 8, 61)
on_device = jax.jit(philox.episode_uniforms, static_argnums=3)
ages_on_device = jax.jit(philox.age_uniforms)
seeds = st.integers(0, philox.LARGEST_SEED)
numbers = st.integers(0, 2**31 - 1)


@settings(max_examples=40)
@given(
    seed=seeds,
    stream=st.sampled_from(Stream),
    worlds=st.lists(numbers, min_size=WORLDS, max_size=WORLDS),
    episodes=st.lists(numbers, min_size=WORLDS, max_size=WORLDS),
    count=st.sampled_from(COUNTS),
)
def test_samples_are_those_of_the_host(
    seed: int, stream: Stream, worlds: list[int], episodes: list[int], count: int
) -> None:
    key = philox.key_of(seed, stream)
    drawn = on_device(key, np.array(worlds, np.int32), np.array(episodes, np.int32), count)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(
        drawn, episode_uniforms(seed, stream, np.array(worlds), np.array(episodes), count), strict=True
    )


@settings(max_examples=20)
@given(seed=seeds, stream=st.sampled_from(Stream))
def test_ages_are_those_of_the_host(seed: int, stream: Stream) -> None:
    worlds = np.arange(WORLDS)
    expected = episode_uniforms(seed, stream, worlds, np.full(WORLDS, AGE_EPISODE), 1)[:, 0]
    np.testing.assert_array_equal(ages_on_device(philox.key_of(seed, stream), worlds.astype(np.int32)), expected)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64])
def test_a_seed_that_numpy_would_round_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=f"seed {seed} is out of range; take one from 0 to {2**63 - 1}"):
        philox.key_of(seed, Stream.TRAIN)
