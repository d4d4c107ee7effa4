"""Generalised advantage estimation (Schulman et al. 2016), and the only place that bootstraps truncated episodes."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def advantages(
    reward: jax.Array,
    value: jax.Array,
    next_value: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    gamma: float,
    gae_lambda: float,
) -> jax.Array:
    """Advantages [T, n] of a rollout.

    Args:
        reward: [T, n]; value: [T, n], of the states acted in.
        next_value: [T, n], of the states that the actions led to, before any reset.
        terminated: [T, n] bool, the episode failed or succeeded: nothing is worth anything after it.
        truncated: [T, n] bool, the episode ran out of time: what would have followed is worth `next_value`.

    Nothing flows back across the end of an episode.
    """
    going = 1.0 - terminated.astype(jnp.float32)
    same_episode = 1.0 - (terminated | truncated).astype(jnp.float32)
    delta = reward + gamma * next_value * going - value

    def back(following: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        error, same = now
        advantage = error + gamma * gae_lambda * same * following
        return advantage, advantage

    _, result = jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, same_episode), reverse=True)
    return result
