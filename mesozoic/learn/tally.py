"""Episode statistics of training, as pure functions that run on numpy and jax.numpy.

The running episodes are a `Tally`; counting a control step gives the next one and sums over the worlds, which
add up to those of a rollout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mesozoic.task import Transition
from mesozoic.task.arrays import XP, Array

Sums = dict[str, Array]


class Tally(NamedTuple):
    """The running episodes: `reward` [n] float32, what they have earned, and `length` [n] int32, control steps."""

    reward: Array
    length: Array


def begin_tally(xp: XP, n: int) -> Tally:
    """All episodes have just begun."""
    return Tally(xp.zeros(n, dtype=xp.float32), xp.zeros(n, dtype=xp.int32))


def count(xp: XP, tally: Tally, transition: Transition) -> tuple[Tally, Sums, Sums]:
    """Count one control step.

    Returns:
        The tally after it, the sum of each reward term, and sums over the episodes that ended: `episodes`,
        `reward`, `length`, `timeout`, `end/<reason>`; scalars.
    """
    done = transition.terminated | transition.truncated
    reward, length = tally.reward + transition.reward, tally.length + 1
    terms = {name: value.sum() for name, value in transition.terms.items()}
    ended = {
        "episodes": done.sum(),
        "reward": xp.where(done, reward, 0.0).sum(),
        "length": xp.where(done, length, 0).sum(),
        "timeout": transition.truncated.sum(),
        **{f"end/{name}": mask.sum() for name, mask in transition.reasons.items()},
    }
    return Tally(xp.where(done, 0.0, reward).astype(xp.float32), xp.where(done, 0, length)), terms, ended


def episode_metrics(steps: float, term_sums: Mapping[str, Array], ended: Mapping[str, Array]) -> dict[str, float]:
    """Metrics of the sums over `steps` environment steps: reward terms per step, means and shares per episode."""
    metrics = {f"reward/{name}": float(total) / float(steps) for name, total in term_sums.items()}
    sums = {name: float(value) for name, value in ended.items()}
    episodes = sums.pop("episodes", 0.0)
    if not episodes:
        return metrics
    means = {name: total / episodes for name, total in sums.items()}
    metrics["rollout/episodes"] = episodes
    metrics["rollout/episode_reward"] = means.pop("reward")
    metrics["rollout/episode_length"] = means.pop("length")
    metrics["end/timeout"] = means.pop("timeout")
    return metrics | means
