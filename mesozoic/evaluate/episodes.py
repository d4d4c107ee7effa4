"""Batched evaluation: every episode at once, on seeds that training never sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.evaluate.actors import Actor, random_actor, statue
from mesozoic.evaluate.wilson import wilson
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

Summary = dict[str, float]
"""Figures of one evaluation, name -> value."""


@dataclass(frozen=True, eq=False)
class Episodes:
    """Outcomes of `m` episodes.

    Attributes:
        length [m]: control steps; reward [m]: episode return; survived [m]: lasted to the time limit.
        ends: why episodes failed, name -> [m] bool.
        terms: mean weighted reward per step, name -> value.
    """

    length: NDArray[np.int64]
    reward: NDArray[np.float64]
    survived: NDArray[np.bool_]
    ends: dict[str, NDArray[np.bool_]]
    terms: dict[str, float]

    def summary(self) -> Summary:
        """Means, the share survived with its 95 % Wilson bounds, and the score."""
        count = len(self.length)
        survivors = int(self.survived.sum())
        low, high = wilson(survivors, count)
        return {
            "episodes": float(count),
            "avg_reward": float(self.reward.mean()),
            "avg_episode_length": float(self.length.mean()),
            "survival": survivors / count,
            "survival_low": low,
            "survival_high": high,
            "score": score(self),
            **{f"end/{name}": float(mask.mean()) for name, mask in self.ends.items()},
            **{f"reward/{name}": value for name, value in self.terms.items()},
        }


def score(episodes: Episodes) -> float:
    """How well the stage's task is done, in [0, 1]; no reward weight enters it.

    Stage 1, balance: the share of episodes survived to the time limit.
    """
    return float(episodes.survived.mean())


def run_episodes(
    actor: Actor, species: Species, config: StageConfig, seed: int, stream: Stream, episodes: int | None = None
) -> Episodes:
    """Run `episodes` (default: the stage's `eval_episodes`) side by side, one in each world, to their end."""
    count = config.curriculum.eval_episodes if episodes is None else episodes
    env = BatchEnv(species, config.env, count, seed, stream, auto_reset=False)
    observation = env.reset()
    active = np.ones(count, dtype=bool)
    length, reward = np.zeros(count, dtype=np.int64), np.zeros(count)
    survived = np.zeros(count, dtype=bool)
    ends: dict[str, NDArray[np.bool_]] = {}
    terms: dict[str, float] = {}
    while active.any():
        result = env.step(actor(observation), active)
        observation = result.observation
        length += active
        reward += np.where(active, result.reward, 0.0)
        survived |= active & result.truncated
        for name, mask in result.reasons.items():
            ends[name] = ends.get(name, np.zeros(count, dtype=bool)) | (mask & active)
        for name, value in result.terms.items():
            terms[name] = terms.get(name, 0.0) + float(value[active].sum())
        active &= ~(result.terminated | result.truncated)
    total = int(length.sum())
    return Episodes(length, reward, survived, ends, {name: value / total for name, value in terms.items()})


def baselines(
    species: Species, config: StageConfig, seed: int, stream: Stream, episodes: int | None = None
) -> dict[str, Summary]:
    """Summaries of the statue, of the statue left in peace (no pushes), and of random actions."""
    calm = config.env.model_copy(update={"push_velocity_min": 0.0, "push_velocity_max": 0.0})
    quiet = config.model_copy(update={"env": calm})
    size = species.load_model().nu
    runs = {
        "statue": (statue(size), config),
        "statue, undisturbed": (statue(size), quiet),
        "random": (random_actor(size, seed), config),
    }
    return {
        name: run_episodes(actor, species, stage, seed, stream, episodes).summary()
        for name, (actor, stage) in runs.items()
    }
