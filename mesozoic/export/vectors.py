"""Test vectors of a policy: observations, and the actions and servo targets that must come of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.learn.normaliser import CLIP
from mesozoic.learn.policy import Policy
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species
from mesozoic.species.anatomy import Anatomy

Floats = NDArray[np.float32]
Run = Callable[[Floats], tuple[Floats, Floats]]
"""An export at work: observations [k, nobs] to actions and targets [k, nu]."""

LIVED, APART = 12, 20
"""Vectors from an unseen episode, and control steps between them."""
SEED = 0
FEW = 6
"""One observation in so many is beyond the normaliser's clipping in the last two vectors; with all of them there,
rounding alone would exceed what is allowed."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """`k` observations [k, nobs] with their actions [k, nu] and servo targets [k, nu] in radians, float32."""

    observation: Floats
    action: Floats
    target: Floats

    def to_json(self) -> list[dict[str, list[float]]]:
        names = {"obs": self.observation, "actions": self.action, "targets": self.target}
        return [{name: rows[i].tolist() for name, rows in names.items()} for i in range(len(self.observation))]

    def error(self, run: Run) -> float:
        """The largest difference of what `run` gives, in actions or radians; infinite where it is no number."""
        action, target = run(self.observation)
        off = [np.abs(found - wanted).max() for found, wanted in ((action, self.action), (target, self.target))]
        worst = float(max(off))
        return worst if np.isfinite(worst) else float("inf")


def make_vectors(policy: Policy, species: Species, config: StageConfig) -> tuple[Anatomy, Vectors]:
    """Sixteen vectors: twelve moments of one unseen episode, nothing at all, a rare observation, and both ends of
    the normaliser's clipping.

    Each observation goes through the policy alone, since a batch may differ in the last bits.
    """
    env = native_env(species, config.env, 1, SEED, Stream.EVAL, auto_reset=True, threads=1)
    seen, observation = [], env.reset()
    for step in range((LIVED - 1) * APART + 1):
        if step % APART == 0:
            seen.append(observation[0].copy())
        observation = env.step(policy.act(observation)).observation
    mean, std = policy.arrays["norm/mean"], policy.arrays["norm/std"]
    index = np.arange(len(mean))
    rare = mean + 3.0 * std * np.sin(index)
    far = 2.0 * CLIP * std * (index % FEW == 0)
    rows = np.array([*seen, np.zeros_like(mean), rare, mean + far, mean - far], dtype=np.float32)
    action = np.concatenate([policy.act(row[None]) for row in rows])
    return env.anatomy, Vectors(rows, action, task.servo_targets(np, env.anatomy, action))
