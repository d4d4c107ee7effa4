"""Generalised advantage estimation (Schulman et al. 2016)."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def advantages(
    rewards: jax.Array, values: jax.Array, last_value: jax.Array, done: jax.Array, gamma: float, gae_lambda: float
) -> jax.Array:
    """Advantages [T, n] of a rollout.

    Args:
        rewards: [T, n]; the reward of a step that truncated an episode already contains
            gamma * V(final observation), so that running out of time is no failure.
        values: [T, n] values of the states acted in; last_value: [n] value after the last step.
        done: [T, n] bool, the episode ended with this step: nothing flows back across it.
    """
    alive = 1.0 - done.astype(jnp.float32)

    def back(
        carry: tuple[jax.Array, jax.Array], now: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        next_advantage, next_value = carry
        reward, value, going = now
        delta = reward + gamma * next_value * going - value
        advantage = delta + gamma * gae_lambda * going * next_advantage
        return (advantage, value), advantage

    start = (jnp.zeros_like(last_value), last_value)
    _, result = jax.lax.scan(back, start, (rewards, values, alive), reverse=True)
    return result
