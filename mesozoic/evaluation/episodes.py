"""Batched evaluation: every episode at once, on seeds that training never sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.evaluation.actors import random_actor, statue
from mesozoic.evaluation.gait import Gait, measure_gait
from mesozoic.evaluation.outcome import reach_score, walk_criteria, walk_score
from mesozoic.evaluation.wilson import wilson
from mesozoic.rendering.recording import PoseRecorder
from mesozoic.sim.actor import Actor
from mesozoic.sim.native import ModelChange
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.sim.trace import Trace, TraceRecorder
from mesozoic.species import Species

Summary = dict[str, float]
"""Figures of one evaluation, name -> value."""


@dataclass(frozen=True, eq=False)
class Episodes:
    """Outcomes of `m` episodes.

    Attributes:
        length [m]: control steps; reward [m]: episode return; survived [m]: did not fail.
        success [m]: the stage's task was done; score [m]: how well, in [0, 1] (see `outcome`).
        ends: why episodes failed, name -> [m] bool.
        criteria: what success is made of, name -> [m] bool.
        figures: further means of the task, name -> value.
        terms: mean weighted reward per step, name -> value.
        trace: everything recorded of locomotion; gait: what it measures. None where nobody walks.
    """

    length: NDArray[np.int64]
    reward: NDArray[np.float64]
    survived: NDArray[np.bool_]
    success: NDArray[np.bool_]
    score: NDArray[np.float64]
    ends: dict[str, NDArray[np.bool_]]
    terms: dict[str, float]
    criteria: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    trace: Trace | None = None
    gait: Gait | None = None

    def summary(self) -> Summary:
        """Means, the shares of survival and success with their 95 % Wilson bounds, the score, gait figures.

        A gait figure that no episode has (the stride of an animal that stands) is left out.
        """
        count = len(self.length)
        gait = {} if self.gait is None or self.trace is None else self.gait.means(self.trace.foot_names)
        return {
            "episodes": float(count),
            "avg_reward": float(self.reward.mean()),
            "avg_episode_length": float(self.length.mean()),
            **_share("survival", self.survived),
            **_share("success", self.success),
            "score": float(self.score.mean()),
            **{f"end/{name}": float(mask.mean()) for name, mask in self.ends.items()},
            **{f"criterion/{name}": float(mask.mean()) for name, mask in self.criteria.items()},
            **self.figures,
            **{f"gait/{name}": value for name, value in gait.items() if math.isfinite(value)},
            **{f"reward/{name}": value for name, value in self.terms.items()},
        }


def run_episodes(
    actor: Actor,
    species: Species,
    config: StageConfig,
    seed: int,
    stream: Stream,
    episodes: int | None = None,
    change: ModelChange | None = None,
    heading: float | None = None,
    poses: PoseRecorder | None = None,
) -> Episodes:
    """Run `episodes` (default: the stage's `eval_episodes`) side by side, one in each world, to their end.

    `change` of the simulated body and first `heading` in radians: see `BatchEnv`. `poses` records what they look like.
    """
    count = config.curriculum.eval_episodes if episodes is None else episodes
    env = native_env(species, config.env, count, seed, stream, auto_reset=False, change=change, heading=heading)
    observation = env.reset()
    recorder = TraceRecorder(env) if config.env.task != "balance" else None
    if poses is not None:
        poses.begin(env)
    first_gap = env.task_state.gap.astype(np.float64)
    nearest = first_gap.copy()
    active = np.ones(count, dtype=bool)
    length, reward = np.zeros(count, dtype=np.int64), np.zeros(count)
    reached, fallen = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    ends: dict[str, NDArray[np.bool_]] = {}
    terms: dict[str, float] = {}
    while active.any():
        if poses is not None:
            poses.before(env)
        result = env.step(actor(observation), active)
        observation = result.observation
        if poses is not None:
            poses.after(env, result)
        if recorder is not None:
            recorder.add()
        length += active
        reward += np.where(active, result.reward, 0.0)
        reached |= active & result.succeeded
        fallen |= active & result.terminated & ~result.succeeded
        nearest = np.where(active, np.minimum(nearest, env.task_state.gap), nearest)
        for name, mask in result.reasons.items():
            ends[name] = ends.get(name, np.zeros(count, dtype=bool)) | (mask & active)
        for name, value in result.terms.items():
            terms[name] = terms.get(name, 0.0) + float(value[active].sum())
        active &= ~(result.terminated | result.truncated)
    terms = {name: value / int(length.sum()) for name, value in terms.items()}
    if recorder is None:
        return Episodes(length, reward, ~fallen, ~fallen, (~fallen).astype(float), ends, terms)
    trace = recorder.trace(length)
    gait = measure_gait(trace)
    if config.env.task == "locomotion":
        criteria = walk_criteria(config, gait)
        success = ~fallen & np.logical_and.reduce(list(criteria.values()))
        score = walk_score(config, gait, length / config.env.max_episode_steps)
        return Episodes(length, reward, ~fallen, success, score, ends, terms, criteria, {}, trace, gait)
    score = reach_score(reached, 1.0 - nearest / first_gap)
    figures = {"nearest": float(nearest.mean())}
    if reached.any():
        figures["seconds_to_success"] = float(length[reached].mean() * trace.dt)
    return Episodes(length, reward, ~fallen, reached, score, ends, terms, {}, figures, trace, gait)


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


def _share(name: str, mask: NDArray[np.bool_]) -> Summary:
    hits, count = int(mask.sum()), len(mask)
    low, high = wilson(hits, count)
    return {name: hits / count, f"{name}_low": low, f"{name}_high": high}
