"""What an environment reports of a control step, whichever engine it runs on."""

from __future__ import annotations

from typing import NamedTuple

from mesozoic.task.arrays import XP, Array, Step


class Transition(NamedTuple):
    """One control step of `n` worlds.

    Attributes:
        observation [n, nobs]: where each world is now; after an automatic reset, the new episode's first.
        next_observation [n, nobs]: where the action led, before any reset; truncated episodes are
            bootstrapped from it.
        reward [n]: sum of `terms`.
        terms: weighted reward terms, name -> [n].
        reasons: why episodes failed, name -> [n] bool; succeeded [n] bool: the target was reached.
        terminated, truncated [n] bool: the episode ended with this step.
    """

    observation: Array
    next_observation: Array
    reward: Array
    terms: dict[str, Array]
    reasons: dict[str, Array]
    succeeded: Array
    terminated: Array
    truncated: Array


def transition_of(xp: XP, step: Step, observation: Array) -> Transition:
    """The transition of a judged step; `observation` [n, nobs] is the one after any automatic reset."""
    return Transition(
        observation=observation,
        next_observation=step.observation,
        reward=sum(step.rewards.values(), xp.zeros(step.terminated.shape, dtype=xp.float32)),
        terms=step.rewards,
        reasons=step.reasons,
        succeeded=step.succeeded,
        terminated=step.terminated,
        truncated=step.truncated,
    )
