"""Actor and critic of the JAX learner (Flax)."""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mesozoic.learn.normaliser import normalise

ACTIVATION = "elu"
Params = dict[str, Any]


class MLP(nn.Module):
    """A multilayer perceptron with orthogonal initialisation (Andrychowicz et al. 2021)."""

    widths: tuple[int, ...]
    outputs: int
    output_scale: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, width in enumerate(self.widths):
            x = nn.elu(nn.Dense(width, kernel_init=nn.initializers.orthogonal(np.sqrt(2)), name=f"{i}")(x))
        last = nn.initializers.orthogonal(self.output_scale)
        return nn.Dense(self.outputs, kernel_init=last, name=f"{len(self.widths)}")(x)


class ActorCritic:
    """A Gaussian actor with a state-independent standard deviation, and a critic of its own."""

    def __init__(self, widths: tuple[int, ...], observations: int, actions: int) -> None:
        self.observations, self.actions = observations, actions
        self.actor = MLP(widths, actions, output_scale=0.01)
        self.critic = MLP(widths, 1, output_scale=1.0)

    def init(self, key: jax.Array, log_std: float) -> Params:
        """Fresh parameters; the first policy acts close to zero, that is, it stands."""
        actor_key, critic_key = jax.random.split(key)
        blank = jnp.zeros((1, self.observations))
        return {
            "actor": self.actor.init(actor_key, blank)["params"],
            "critic": self.critic.init(critic_key, blank)["params"],
            "log_std": jnp.full(self.actions, log_std, dtype=jnp.float32),
        }

    def mean(self, params: Params, observation: jax.Array) -> jax.Array:
        """Mean action [..., nu] for normalised observations [..., nobs]."""
        return self.actor.apply({"params": params["actor"]}, observation)

    def value(self, params: Params, observation: jax.Array) -> jax.Array:
        """Standardised value [...] for normalised observations [..., nobs]."""
        return self.critic.apply({"params": params["critic"]}, observation)[..., 0]


class GaussianActor(NamedTuple):
    """Everything that acting takes, as a tree of arrays.

    Attributes:
        params: of the actor's network; log_std: [nu].
        mean, std: [nobs], of the observations.
    """

    params: Params
    log_std: Any
    mean: Any
    std: Any


def act(actor: GaussianActor, observation: jax.Array, noise: jax.Array) -> jax.Array:
    """Actions [..., nu], not clipped, for observations [..., nobs] and standard normal noise [..., nu]."""
    widths = [actor.params[name]["bias"].shape[0] for name in sorted(actor.params, key=int)]
    net = MLP(tuple(widths[:-1]), widths[-1], output_scale=0.01)
    seen = normalise(jnp, observation, actor.mean, actor.std)
    return net.apply({"params": actor.params}, seen) + jnp.exp(actor.log_std) * noise
