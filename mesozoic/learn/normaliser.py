"""Running mean and variance of observations, as pure functions that run on numpy and jax.numpy."""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any
"""An array of numpy or jax.numpy."""
XP = Any
"""The module `numpy` or `jax.numpy`."""

STD_FLOOR = 0.02
"""Observations are of order one already; an entry that hardly varies yet is not blown up beyond this."""
CLIP = 10.0
"""Normalised observations are cut off here."""


class Moments(NamedTuple):
    """Of all observations so far: their number, and `mean` and `var` [nobs] of every entry."""

    count: Array
    mean: Array
    var: Array


def no_moments(xp: XP, size: int) -> Moments:
    """Before the first observation."""
    return Moments(xp.zeros(()), xp.zeros(size), xp.ones(size))


def merge_moments(xp: XP, old: Moments, count: Array, mean: Array, var: Array) -> Moments:
    """Merge a batch of `count` observations with `mean` and `var` [nobs] (Chan et al. 1979).

    Written with shares of the total, not with sums, so that large counts do no harm in float32.
    """
    total = old.count + count
    share, delta = count / total, mean - old.mean
    spread = old.var + share * (var - old.var) + share * (1.0 - share) * delta * delta
    return Moments(total, old.mean + share * delta, spread)


def shift_and_scale(xp: XP, moments: Moments, standardise: Array) -> tuple[Array, Array]:
    """Mean and floored standard deviation, float32 [nobs]; 0 and 1 where `standardise` [nobs] is false."""
    mean = xp.where(standardise, moments.mean, 0.0)
    std = xp.where(standardise, xp.maximum(xp.sqrt(moments.var), STD_FLOOR), 1.0)
    return mean.astype(xp.float32), std.astype(xp.float32)


def normalise(xp: XP, observation: Array, mean: Array, std: Array) -> Array:
    """Standardise and clip observations [..., nobs]."""
    return xp.clip((observation - mean) / std, -CLIP, CLIP)
