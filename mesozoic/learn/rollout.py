"""What a collector hands to a learner, and the interface behind which collectors stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mesozoic.learn.learner import State
from mesozoic.species.anatomy import Anatomy

if TYPE_CHECKING:
    from mesozoic.learn.placement import Placement

Array = Any
"""An array of numpy or jax.numpy."""


class Rollout(NamedTuple):
    """`T` control steps of `n` worlds, float32 and bool.

    Attributes:
        observation, next_observation: [T, n, nobs]; where each action was taken, and where it led before any reset.
        action, noise: [T, n, nu]; the noise that was added to the mean action, in standard deviations.
        reward, terminated, truncated: [T, n].
    """

    observation: Array
    next_observation: Array
    action: Array
    noise: Array
    reward: Array
    terminated: Array
    truncated: Array


class Stats(NamedTuple):
    """Figures of a rollout, reduced where the data lies.

    Attributes:
        steps: environment steps, over all worlds.
        obs_mean, obs_var: [nobs], of `Rollout.observation`.
        term_sums: reward term -> its sum.
        ended: sums over the episodes that ended: `episodes`, `reward`, `length`, `timeout`, `end/<reason>`.
    """

    steps: Array
    obs_mean: Array
    obs_var: Array
    term_sums: dict[str, Array]
    ended: dict[str, Array]


class Collector(Protocol):
    """Acts in an environment that it owns.

    Attributes:
        anatomy: constants of the animal; n: worlds; placement: where rollouts lie.
    """

    anatomy: Anatomy
    n: int
    placement: Placement

    def collect(self, actor: Any, noise: Array, ramp: Array) -> tuple[Rollout, Stats]:
        """One rollout with `noise` [T, n, nu]; `ramp`: share of the weights of locomotion and behaviour terms.

        `actor` is a `mesozoic.learn.ppo.networks.GaussianActor`.
        """

    def state(self) -> State:
        """Everything needed to continue bit for bit."""

    def set_state(self, state: State) -> None:
        """Continue from what `state()` returned."""
