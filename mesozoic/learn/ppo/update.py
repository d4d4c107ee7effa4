"""One PPO update as a single compiled function (Schulman et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mesozoic.config import JaxSection, PPOSection
from mesozoic.learn.normaliser import Moments, merge_moments, no_moments, normalise, shift_and_scale
from mesozoic.learn.placement import BY_WORLD, EVERYWHERE, ONE_DEVICE, Placement
from mesozoic.learn.ppo.gae import advantages
from mesozoic.learn.ppo.networks import ActorCritic, Params
from mesozoic.learn.rollout import Rollout, Stats
from mesozoic.task.mirror import Mirror

VALUE_MEMORY = 0.02
"""Share of the newest rollout in the running mean and variance of returns, once it has settled."""
MAX_LOG_RATIO = 20.0
"""Keeps the probability ratio finite for actions that the policy has long left behind."""
LOG_2PI = 1.8378770664093453


class ValueScale(NamedTuple):
    """Running mean and variance of returns; the critic predicts in these units."""

    mean: jax.Array
    var: jax.Array
    count: jax.Array


class TrainState(NamedTuple):
    """All that an update changes, a tree of arrays.

    Attributes:
        params: of actor and critic; ema: of the actor, averaged over the last updates; opt_state: Optax's.
        scale: of the returns; moments: of the observations.
    """

    params: Params
    ema: Params
    opt_state: Any
    scale: ValueScale
    moments: Moments


class Hyperparameters(NamedTuple):
    """What varies from one update to the next, float32 scalars: arguments, not constants, of the compiled update.

    `log_std` counts only where it is scheduled; `ema_share` is the weight of the newest actor in the average.
    """

    learning_rate: Any
    ent_coef: Any
    clip_range: Any
    log_std: Any
    ema_share: Any


def begin_training(net: ActorCritic, ppo: PPOSection, key: jax.Array) -> TrainState:
    """Fresh parameters and statistics."""
    params = net.init(key, ppo.log_std_init)
    return with_params(ppo, params, initial_value_scale(), no_moments(jnp, net.observations))


def with_params(ppo: PPOSection, params: Params, scale: ValueScale, moments: Moments) -> TrainState:
    """The state of a training that begins with `params`."""
    ema = jax.tree.map(jnp.copy, params["actor"])  # the update consumes its arguments
    return TrainState(params, ema, make_optimiser(ppo).init(params), scale, moments)


def initial_value_scale() -> ValueScale:
    return ValueScale(jnp.zeros(()), jnp.ones(()), jnp.zeros(()))


def log_likelihood(mean: jax.Array, log_std: jax.Array, action: jax.Array) -> jax.Array:
    """Log density of a diagonal Gaussian, [...]."""
    z = (action - mean) * jnp.exp(-log_std)
    return jnp.sum(-0.5 * (z * z + LOG_2PI) - log_std, axis=-1)


def make_optimiser(ppo: PPOSection) -> optax.GradientTransformation:
    """Adam on clipped gradients, without the step size, which is scheduled."""
    return optax.chain(optax.clip_by_global_norm(ppo.max_grad_norm), optax.scale_by_adam(eps=1e-5))


def make_update(
    net: ActorCritic,
    ppo: PPOSection,
    jax_options: JaxSection,
    standardise: Any,
    mirrors: tuple[Mirror, Mirror] | None = None,
    placement: Placement = ONE_DEVICE,
) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
    """Compile-ready `update(train, rollout, stats, key, hyper) -> (train, metrics)`.

    All epochs run in one `lax.scan`; once the policy has moved past `target_kl` the rest is skipped. If anything
    in the outcome is not finite, the state stays as it was and the metric `finite` is 0.

    Args:
        standardise: [nobs] bool, observations to be shifted and scaled.
        mirrors: mirror images of observations and of actions; with them, each epoch sees every sample
            or its mirror image.
        placement: where the rollout lies. Of several devices each has all samples, as a minibatch may draw any, and
            computes the gradient of its share of every minibatch.
    """
    optimiser = make_optimiser(ppo)

    def loss(
        params: Params, sample: dict[str, jax.Array], hyper: Hyperparameters
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        log_std = params["log_std"]
        if ppo.log_std_end is not None:  # scheduled, not learned
            log_std = jax.lax.stop_gradient(log_std)
        log_ratio = log_likelihood(net.mean(params, sample["observation"]), log_std, sample["action"])
        log_ratio = jnp.clip(log_ratio - sample["log_likelihood"], -MAX_LOG_RATIO, MAX_LOG_RATIO)
        ratio = jnp.exp(log_ratio)
        gain = sample["advantage"]
        if jax_options.normalize_advantage:
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        clipped = jnp.clip(ratio, 1.0 - hyper.clip_range, 1.0 + hyper.clip_range)
        policy_loss = -_mean_of(jnp.minimum(ratio * gain, clipped * gain), sample["noisy"])
        value_loss = 0.5 * jnp.square(net.value(params, sample["observation"]) - sample["target"]).mean()
        entropy = jnp.sum(log_std + 0.5 * (LOG_2PI + 1.0))
        total = policy_loss + ppo.vf_coef * value_loss - hyper.ent_coef * entropy
        return total, {
            "policy_loss": policy_loss,
            "value_loss": value_loss,
            "entropy": entropy,
            "approx_kl": _mean_of(ratio - 1.0 - log_ratio, sample["original"] * sample["noisy"]),
            "clip_fraction": _mean_of(jnp.abs(ratio - 1.0) > hyper.clip_range, sample["original"] * sample["noisy"]),
        }

    def rescale(scale: ValueScale, returns: jax.Array) -> ValueScale:
        if not jax_options.normalize_value:
            return scale
        share = jnp.maximum(1.0 / (scale.count + 1.0), VALUE_MEMORY)
        mean = scale.mean + share * (returns.mean() - scale.mean)
        var = scale.var + share * (jnp.square(returns - mean).mean() - scale.var)
        return ValueScale(mean, var, scale.count + 1.0)

    def mirror(
        samples: dict[str, jax.Array],
        norm: tuple[jax.Array, jax.Array],
        rollout: Rollout,
        mirrors: tuple[Mirror, Mirror],
    ) -> dict[str, jax.Array]:
        """Mirror images of samples. They keep the likelihood of the original, which is theirs too for a
        symmetric policy: what worked on one side is learned on the other (Mittal et al. 2024, "Symmetry
        considerations for learning task symmetric robot policies")."""
        seen, done = mirrors
        size = rollout.reward.size
        observation = normalise(jnp, rollout.observation[..., seen.source] * seen.sign, *norm)
        action = rollout.action[..., done.source] * done.sign
        return {
            **samples,
            "observation": observation.reshape(size, -1),
            "action": action.reshape(size, -1),
            "original": jnp.zeros(size),
        }

    def update(
        train: TrainState, rollout: Rollout, stats: Stats, key: jax.Array, hyper: Hyperparameters
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        params, scale = scheduled_exploration(ppo, train.params, hyper.log_std), train.scale
        norm = shift_and_scale(jnp, train.moments, standardise)
        seen, beyond = (normalise(jnp, o, *norm) for o in (rollout.observation, rollout.next_observation))
        spread = jnp.sqrt(scale.var) + 1e-6
        value, next_value = (net.value(params, o) * spread + scale.mean for o in (seen, beyond))
        gains = advantages(
            rollout.reward, value, next_value, rollout.terminated, rollout.truncated, ppo.gamma, ppo.gae_lambda
        )
        returns = gains + value
        scale = rescale(scale, returns)
        old = jnp.sum(-0.5 * (rollout.noise**2 + LOG_2PI) - params["log_std"], axis=-1)
        size = rollout.reward.size
        samples = {
            "observation": seen.reshape(size, -1),
            "action": rollout.action.reshape(size, -1),
            "log_likelihood": old.reshape(size),
            "advantage": gains.reshape(size),
            "original": jnp.ones(size),
            "noisy": jnp.any(rollout.noise != 0.0, axis=-1).reshape(size).astype(jnp.float32),
            "target": (returns.reshape(size) - scale.mean) / (jnp.sqrt(scale.var) + 1e-6),
        }
        order_key, side_key = jax.random.split(key)
        order = jax.vmap(lambda k: jax.random.permutation(k, size))(jax.random.split(order_key, ppo.n_epochs))
        order = order.reshape(-1, ppo.batch_size)
        if mirrors is not None:  # in each epoch a coin decides whether a sample or its mirror image is seen
            samples = jax.tree.map(
                lambda a, b: jnp.concatenate([a, b]), samples, mirror(samples, norm, rollout, mirrors)
            )
            order = order + size * jax.random.bernoulli(side_key, shape=order.shape)

        samples = placement.constrain(samples, EVERYWHERE)

        def one(carry: tuple[Any, ...], index: jax.Array) -> tuple[tuple[Any, ...], dict[str, jax.Array]]:
            def go(state: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, jax.Array]]:
                params, opt_state, _ = state
                sample = placement.constrain(jax.tree.map(lambda x: x[index], samples), BY_WORLD)
                (_, info), grads = jax.value_and_grad(loss, has_aux=True)(params, sample, hyper)
                steps, opt_state = optimiser.update(grads, opt_state, params)
                params = jax.tree.map(lambda p, s: p - hyper.learning_rate * s, params, steps)
                limit = jnp.inf if ppo.target_kl is None else ppo.target_kl
                return (params, opt_state, info["approx_kl"] <= limit), {**info, "ran": jnp.ones(())}

            def skip(state: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, jax.Array]]:
                names = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "ran")
                return state, {name: jnp.zeros(()) for name in names}

            return jax.lax.cond(carry[2], go, skip, carry)

        (params, opt_state, _), infos = jax.lax.scan(one, (params, train.opt_state, jnp.array(True)), order)
        ran = infos.pop("ran")
        info = {name: value.sum() / ran.sum() for name, value in infos.items()}
        unexplained = jnp.var(returns - value) / (jnp.var(returns) + 1e-8)
        info |= {"gradient_steps": ran.sum(), "skipped_steps": ran.size - ran.sum()}
        info |= {"explained_variance": 1.0 - unexplained, "action_std": jnp.exp(params["log_std"]).mean()}
        ema = jax.tree.map(lambda old, new: old + hyper.ema_share * (new - old), train.ema, params["actor"])
        moments = merge_moments(jnp, train.moments, stats.steps, stats.obs_mean, stats.obs_var)
        after = TrainState(params, ema, opt_state, scale, moments)
        finite = _all_finite((after, info, rollout))
        after = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, train)
        return after, {**info, "finite": finite}

    return update


def scheduled_exploration(ppo: PPOSection, params: Params, log_std: jax.Array) -> Params:
    """The parameters with `log_std`, where exploration is scheduled and not learned."""
    if ppo.log_std_end is None:
        return params
    return {**params, "log_std": jnp.full_like(params["log_std"], log_std)}


def _mean_of(values: jax.Array, weights: jax.Array) -> jax.Array:
    """Weighted mean; 0 where all weights are 0, as in a minibatch of mirror images only."""
    return jnp.sum(values * weights) / jnp.maximum(jnp.sum(weights), 1.0)


def _all_finite(tree: Any) -> jax.Array:
    floats = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in floats]))
