"""States of real episodes with what Python makes of them, by which other programs check that they compute the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.learn.policy import Policy
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

SEED = 7
SPREAD = 3
"""Every so many-th example follows an action with noise, so that there are states which the policy never reaches."""
NOISE = 0.5


def examples_of(species: Species, env: EnvSection, policy: Policy, count: int = 10, longest: int = 60) -> list[Any]:
    """`count` states, one in each of as many episodes, at moments spread evenly over `longest` control steps.

    Each has what was sensed and the task's own state, and what follows from them: observation, action, servo targets
    and push; then the next step in the same way, with its flags. Actions are computed one observation at a time: in a
    batch they may differ in the last bits.
    """
    worlds = native_env(species, env, count, SEED, Stream.EVAL, auto_reset=False)
    noise = np.random.default_rng(SEED)
    observation = worlds.reset()
    moments = (np.arange(count) * longest) // count
    active = np.ones(count, dtype=bool)
    found: dict[int, dict[str, Any]] = {}
    for step in range(int(moments.max()) + 1):
        action = np.concatenate([policy.act(observation[i : i + 1]) for i in range(count)])
        rows = {i: _before(worlds, i, observation, action) for i in np.flatnonzero((moments == step) & active).tolist()}
        disturbed = np.arange(count) % SPREAD == SPREAD - 1
        spread = noise.normal(scale=NOISE, size=action.shape) * disturbed[:, None]
        taken = np.clip(action + spread, -1.0, 1.0).astype(np.float32)
        outcome = worlds.step(taken, active)
        for i, row in rows.items():
            row["next"] = {
                "action": taken[i].tolist(),
                "sensed": _sensed(worlds, i),
                "state": _state(worlds, i),
                "observation": outcome.observation[i].tolist(),
                "terminated": bool(outcome.terminated[i]),
                "truncated": bool(outcome.truncated[i]),
                "succeeded": bool(outcome.succeeded[i]),
                "reasons": [name for name, mask in outcome.reasons.items() if mask[i]],
            }
            found[i] = row
        observation = outcome.observation
        active &= ~(outcome.terminated | outcome.truncated)
    return [found[i] for i in sorted(found)]


def _before(worlds: BatchEnv, i: int, observation: NDArray[np.float32], action: NDArray[np.float32]) -> dict[str, Any]:
    targets, push = task.actuate(np, worlds.anatomy, worlds.env, worlds.task_state, action)
    return {
        "sensed": _sensed(worlds, i),
        "state": _state(worlds, i),
        "observation": observation[i].tolist(),
        "action": action[i].tolist(),
        "targets": targets[i].tolist(),
        "push": push[i].tolist(),
    }


def _sensed(worlds: BatchEnv, i: int) -> dict[str, Any]:
    unused = ("actuator_force", "foot_pos")  # rewards alone ask for them
    sensed = worlds.engine.sensed()._asdict()
    return {name: np.asarray(value[i]).tolist() for name, value in sensed.items() if name not in unused}


def _state(worlds: BatchEnv, i: int) -> dict[str, Any]:
    unused = ("origin", "foot_pos")
    state = worlds.task_state._asdict()
    return {name: np.asarray(value[i]).tolist() for name, value in state.items() if name not in unused}
