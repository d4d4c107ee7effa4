"""States of real episodes with what Python makes of them, by which other programs check that they compute the same."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.learn.policy import Policy
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species
from mesozoic.task import Sensed, TaskState, Transition

SEED = 7
SPREAD = 3
"""Every so many-th example follows an action with noise, so that there are states which the policy never reaches."""
NOISE = 0.5
FOR_REWARDS = ("actuator_force", "foot_pos", "origin")


class _Moment(NamedTuple):
    """All worlds before a control step."""

    sensed: Sensed
    state: TaskState
    observation: NDArray[np.float32]


def examples_of(
    species: Species, env: EnvSection, policy: Policy, count: int = 10, longest: int = 60
) -> list[dict[str, Any]]:
    """`count` states, one of each of as many episodes, at moments within `longest` control steps, most of them early;
    of an episode that ends before its moment, the last one.

    Each has what was sensed and the task's own state, and what follows from them: observation, action, servo targets
    and push; then the next step in the same way, with its flags. Actions are computed one observation at a time: in a
    batch they may differ in the last bits.
    """
    worlds = native_env(species, env, count, SEED, Stream.EVAL, auto_reset=False)
    noise = np.random.default_rng(SEED)
    observation = worlds.reset()
    moments = (longest * (np.arange(count) / count) ** 2).astype(int)
    disturbed = np.arange(count) % SPREAD == SPREAD - 1
    active = np.ones(count, dtype=bool)
    found: dict[int, dict[str, Any]] = {}
    step = 0
    while active.any():
        before = _Moment(worlds.engine.sensed(), worlds.task_state, observation)
        spread = noise.normal(scale=NOISE, size=(count, policy.action_size)) * disturbed[:, None]
        taken = np.clip(policy.act(observation) + spread, -1.0, 1.0).astype(np.float32)
        outcome = worlds.step(taken, active)
        observation = outcome.observation
        chosen = active & ((moments <= step) | outcome.terminated | outcome.truncated)
        for i in np.flatnonzero(chosen).tolist():
            then = {**_after(worlds, i, outcome), "action": _numbers(taken[i])}
            found[i] = {**_before(worlds, i, before, policy), "next": then}
        active &= ~chosen
        step += 1
    return [found[i] for i in sorted(found)]


def _before(worlds: BatchEnv, i: int, moment: _Moment, policy: Policy) -> dict[str, Any]:
    only = TaskState(*(part[i : i + 1] for part in moment.state))
    action = policy.act(moment.observation[i : i + 1])
    targets, push = task.actuate(np, worlds.anatomy, worlds.env, only, action)
    return {
        "sensed": _row(moment.sensed, i),
        "state": _row(moment.state, i),
        "observation": _numbers(moment.observation[i]),
        "action": _numbers(action[0]),
        "targets": _numbers(targets[0]),
        "push": _numbers(push[0]),
    }


def _after(worlds: BatchEnv, i: int, outcome: Transition) -> dict[str, Any]:
    return {
        "sensed": _row(worlds.engine.sensed(), i),
        "state": _row(worlds.task_state, i),
        "observation": _numbers(outcome.observation[i]),
        "terminated": bool(outcome.terminated[i]),
        "truncated": bool(outcome.truncated[i]),
        "succeeded": bool(outcome.succeeded[i]),
        "reasons": [name for name, mask in outcome.reasons.items() if mask[i]],
    }


def _row(table: Sensed | TaskState, i: int) -> dict[str, Any]:
    """One world of all, without what rewards alone ask for."""
    return {name: _numbers(value[i]) for name, value in table._asdict().items() if name not in FOR_REWARDS}


def _numbers(values: Any) -> Any:
    """An array of float32 as lists, with the nine digits that tell any two of them apart; others as they are."""
    array = np.asarray(values)
    if array.dtype.kind != "f":
        return array.tolist()
    digits = np.array([float(f"{value:.9g}") for value in array.ravel()])
    return digits.reshape(array.shape).tolist()
