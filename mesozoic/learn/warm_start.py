"""What a policy must hold for a learner to go on from it, beyond what it needs to act."""

from __future__ import annotations

from collections.abc import Sequence

from mesozoic.errors import UserError
from mesozoic.learn.policy import Policy

Shapes = dict[str, tuple[int, ...]]
"""Array name -> shape."""


def jax_ppo(policy: Policy) -> Shapes:
    """Critic, exploration, observation statistics and the scale of returns."""
    return {**_actor_critic(policy), **_statistics("value_scale", ())}


def sb3_ppo(policy: Policy) -> Shapes:
    """Critic, exploration, observation statistics and the scale of rewards."""
    return {**_actor_critic(policy), **_statistics("reward", ())}


def sb3_sac(policy: Policy) -> Shapes:
    """Both critics, which see observation and action, exploration, observation statistics, the scale of rewards."""
    seen, hidden = policy.observation_size + policy.action_size, policy.hidden
    last = hidden[-1] if hidden else policy.observation_size
    return {
        **_layers("critic0", (seen, *hidden, 1)),
        **_layers("critic1", (seen, *hidden, 1)),
        **_layers("log_std", (last, policy.action_size)),
        **_statistics("normaliser", (policy.observation_size,)),
        **_statistics("reward", ()),
    }


def check_complete(policy: Policy, needed: Shapes) -> None:
    """Refuse a policy that lacks an array of `needed`, or has it in another shape.

    Raises:
        UserError: naming the first one.
    """
    for name, shape in sorted(needed.items()):
        array = policy.arrays.get(name)
        if array is None:
            raise UserError(f"the policy lacks {name}, so it can act but not be trained on; train a new one")
        if array.shape != shape or array.dtype.kind != "f":
            raise UserError(
                f"{name} of the policy is {array.dtype} {list(array.shape)} instead of float {list(shape)}, so it can"
                " act but not be trained on; train a new one"
            )


def _actor_critic(policy: Policy) -> Shapes:
    return {
        **_layers("critic", (policy.observation_size, *policy.hidden, 1)),
        "log_std": (policy.action_size,),
        **_statistics("normaliser", (policy.observation_size,)),
    }


def _layers(name: str, widths: Sequence[int]) -> Shapes:
    """Of a multilayer perceptron."""
    shapes: Shapes = {}
    for i in range(len(widths) - 1):
        shapes[f"{name}/{i}/kernel"] = (widths[i], widths[i + 1])
        shapes[f"{name}/{i}/bias"] = (widths[i + 1],)
    return shapes


def _statistics(name: str, shape: tuple[int, ...]) -> Shapes:
    return {f"{name}/count": (), f"{name}/mean": shape, f"{name}/var": shape}
