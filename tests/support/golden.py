"""States and episodes of shipped policies as Python computes them, written down for programs in other languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mesozoic.page.examples import examples_of
from mesozoic.page.parcel import Playable, parcel_of
from mesozoic.run.policy_source import open_policy
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream

SEED = 11
EVERY = 10
SECOND = 50
"""Steps of it."""


def write_golden(folder: Path, species: str, stages: tuple[int, ...], states: int, worlds: int) -> None:
    """`<species>.json`: the parcel of an animal, with `states` examples and `worlds` whole episodes for each stage."""
    plays = []
    for stage in stages:
        policy, animal, config = open_policy(Path(species), stage=stage)
        plays.append(Playable(policy, config))
    parcel = parcel_of([(animal, plays)], {})
    for play, stage_data in zip(plays, parcel["animals"][0]["stages"], strict=True):
        env = play.config.env
        stage_data["examples"] = examples_of(animal, env, play.policy, states, env.max_episode_steps)
        stage_data["episodes"] = episodes(animal, play, worlds)
    (folder / f"{species}.json").write_text(json.dumps(parcel))


def episodes(animal: Any, play: Playable, worlds: int) -> list[dict[str, Any]]:
    """How each episode of seed `SEED` ended, its poses in the first second, and the gait clock at its end."""
    env = native_env(animal, play.config.env, worlds, SEED, Stream.EVAL, auto_reset=False)
    observation = env.reset()
    found: list[dict[str, Any]] = [{"seed": SEED, "world": i, "qpos": {}} for i in range(worlds)]
    active, step = np.ones(worlds, dtype=bool), 0
    while active.any():
        if step <= SECOND and step % EVERY == 0:
            poses = env.engine.sensed().qpos
            for i in np.flatnonzero(active).tolist():
                found[i]["qpos"][step] = poses[i].tolist()
        result = env.step(play.policy.act(observation), active)
        observation, step = result.observation, step + 1
        for i in np.flatnonzero(active & (result.terminated | result.truncated)).tolist():
            reasons = [name for name, mask in result.reasons.items() if mask[i]]
            success = bool(result.succeeded[i])
            found[i] |= {"length": step, "succeeded": success, "reasons": reasons}
            found[i]["phase"] = float(env.task_state.phase[i])
        active &= ~(result.terminated | result.truncated)
    return found
