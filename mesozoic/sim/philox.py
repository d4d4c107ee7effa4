"""The episode samples of `sim.samples` on a device, bit for bit, from 32-bit arithmetic.

NumPy's `Philox(key=[seed, stream], counter=[0, 0, episode, world])` counts the first word up before each
block; a block is four 64-bit words, and `random(dtype=float32)` takes 24 bits of the low half of each word,
then of its high half. JAX has 32-bit integers by default, so a 64-bit word is a pair (low, high) of uint32.
The rounds are those of Philox-4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

For use under `jax.jit`; on the host NumPy's own generator is faster.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mesozoic.sim.samples import AGE_EPISODE, Stream, key_word

ROUNDS = 10
MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
KEY_STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
FLOATS_PER_BLOCK = 8
LOW_16 = np.uint32(0xFFFF)

Word = tuple[jax.Array, jax.Array]
"""A 64-bit word: low and high half, uint32."""


def key_of(seed: int, stream: Stream) -> NDArray[np.uint32]:
    """The key [4] of a seed and a stream, an argument of compiled functions: a constant would tie them to it.

    Raises:
        UserError: the seed is negative.
    """
    word = key_word(seed)
    return np.array([word & 0xFFFFFFFF, word >> 32, int(stream), 0], dtype=np.uint32)


def episode_uniforms(key: jax.Array, worlds: jax.Array, episodes: jax.Array, count: int) -> jax.Array:
    """Samples of [0, 1), [n, count] float32, of `episodes` [n] of `worlds` [n] (int32, not negative)."""
    zero = jnp.zeros_like(episodes, dtype=jnp.uint32)
    return _uniforms(key, worlds, (episodes.astype(jnp.uint32), zero), count)


def age_uniforms(key: jax.Array, worlds: jax.Array) -> jax.Array:
    """The sample [n] from which the age of the first episode of `worlds` [n] is drawn (see `samples.AGE_EPISODE`)."""
    zero = jnp.zeros_like(worlds, dtype=jnp.uint32)
    return _uniforms(key, worlds, (zero + _low(AGE_EPISODE), zero + _high(AGE_EPISODE)), 1)[:, 0]


def _uniforms(key: jax.Array, worlds: jax.Array, episodes: Word, count: int) -> jax.Array:
    blocks = -(-count // FLOATS_PER_BLOCK)
    shape = (worlds.shape[0], blocks)

    def spread(half: jax.Array) -> jax.Array:
        return jnp.broadcast_to(half.astype(jnp.uint32)[:, None], shape)

    zero = jnp.zeros(shape, jnp.uint32)
    block = zero + jnp.arange(1, blocks + 1, dtype=jnp.uint32)
    episode = spread(episodes[0]), spread(episodes[1])
    counter = ((block, zero), (zero, zero), episode, (spread(worlds), zero))

    def one_round(_: jax.Array, carry: tuple[tuple[Word, ...], Word, Word]) -> tuple[tuple[Word, ...], Word, Word]:
        (c0, c1, c2, c3), key0, key1 = carry
        low0, high0 = _multiply(c0, MULTIPLIERS[0])
        low1, high1 = _multiply(c2, MULTIPLIERS[1])
        mixed = (_xor(high1, c1, key0), low1, _xor(high0, c3, key1), low0)
        return mixed, _add_constant(key0, KEY_STEPS[0]), _add_constant(key1, KEY_STEPS[1])

    # A loop on purpose: XLA on CPU fuses ten unrolled rounds into one expression and does not finish compiling.
    words, _, _ = jax.lax.fori_loop(0, ROUNDS, one_round, (counter, (key[0], key[1]), (key[2], key[3])))
    bits = jnp.stack([half for word in words for half in word], axis=2).reshape(shape[0], -1)[:, :count]
    return (bits >> np.uint32(8)).astype(jnp.float32) * np.float32(2.0**-24)


def _low(constant: int) -> np.uint32:
    return np.uint32(constant & 0xFFFFFFFF)


def _high(constant: int) -> np.uint32:
    return np.uint32(constant >> 32)


def _xor(a: Word, b: Word, c: Word) -> Word:
    return a[0] ^ b[0] ^ c[0], a[1] ^ b[1] ^ c[1]


def _add(a: jax.Array, b: jax.Array) -> Word:
    """The sum of two uint32 and its carry."""
    total = a + b
    return total, (total < a).astype(jnp.uint32)


def _add_constant(word: Word, constant: int) -> Word:
    low, carry = _add(word[0], _low(constant))
    return low, word[1] + _high(constant) + carry


def _multiply_halves(a: jax.Array, b: np.uint32) -> Word:
    """The 64-bit product of two uint32, from products of 16-bit halves."""
    a_low, a_high, b_low, b_high = a & LOW_16, a >> np.uint32(16), b & LOW_16, b >> np.uint32(16)
    middle1, middle2 = a_low * b_high, a_high * b_low
    bottom = a_low * b_low
    middle = (bottom >> np.uint32(16)) + (middle1 & LOW_16) + (middle2 & LOW_16)
    top = a_high * b_high + (middle1 >> np.uint32(16)) + (middle2 >> np.uint32(16)) + (middle >> np.uint32(16))
    return (bottom & LOW_16) | (middle << np.uint32(16)), top


def _multiply(word: Word, constant: int) -> tuple[Word, Word]:
    """The 128-bit product of a word and a constant: its low and its high word."""
    bottom, carry0 = _multiply_halves(word[0], _low(constant))
    cross1_low, cross1_high = _multiply_halves(word[0], _high(constant))
    cross2_low, cross2_high = _multiply_halves(word[1], _low(constant))
    top_low, top_high = _multiply_halves(word[1], _high(constant))
    second, over1 = _add(carry0, cross1_low)
    second, over2 = _add(second, cross2_low)
    third, over3 = _add(cross1_high, cross2_high)
    third, over4 = _add(third, top_low)
    third, over5 = _add(third, over1 + over2)
    return (bottom, second), (third, top_high + over3 + over4 + over5)
