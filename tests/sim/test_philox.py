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
seeds = st.integers(0, 2**64) | st.integers(0)
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


LARGE = [2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 2**64 + 1, 2**70, 2**70 + 1, 2**4000, 0, 1]


def test_seeds_of_any_size_are_different_seeds() -> None:
    drawn = [episode_uniforms(seed, Stream.EVAL, np.arange(1), np.zeros(1, int), 8).tobytes() for seed in LARGE]
    assert len(set(drawn)) == len(LARGE)


@given(seed=st.integers(0, 2**63 - 1))
def test_usual_seeds_are_the_generators_own_key(seed: int) -> None:
    bits = np.random.Philox(key=[seed, int(Stream.EVAL)], counter=[0, 0, 5, 3])
    expected = np.random.Generator(bits).random(8, dtype=np.float32)
    drawn = episode_uniforms(seed, Stream.EVAL, np.array([3]), np.array([5]), 8)
    np.testing.assert_array_equal(drawn[0], expected)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UserError, match="seed -1 is out of range; give 0 or more"):
        philox.key_of(-1, Stream.TRAIN)
