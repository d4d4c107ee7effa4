"""An environment can be copied and pickled at any moment, and takes seeds of any size."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest

import mesozoic
from mesozoic.errors import UserError
from mesozoic.gym.env import DinosaurEnv
from mesozoic.sim.native_env import native_env, training_env
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species, load_stage

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: pickle.loads(cloudpickle.dumps(env)),
}
BUSY = ["env.push_interval=0.4", "env.max_episode_steps=30", "curriculum.min_avg_episode_length=0"]


@pytest.fixture(params=COPIES.values(), ids=COPIES)
def copied(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return request.param


def play(env: Any, steps: int) -> list[Any]:
    """What an environment answers to the same actions, over the ends of episodes."""
    rng, seen = np.random.default_rng(1), []
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, 14).astype(np.float32))
        seen.append((observation.tobytes(), reward, terminated, truncated, info))
        if terminated or truncated:
            seen.append(env.reset()[0].tobytes())
    return seen


@pytest.mark.parametrize("steps_before", [0, 7, 40])
def test_a_copy_goes_on_with_the_same_bits(copied: Callable[[Any], Any], steps_before: int) -> None:
    env = gymnasium.make("mesozoic/Velociraptor-Balance-v0", overrides=BUSY)
    env.reset(seed=3)
    play(env, steps_before)
    other = copied(env)
    assert play(other, 70) == play(env, 70)
    env.close()
    assert play(other, 1)


def test_a_copy_of_one_that_never_began_begins_as_it_does(copied: Callable[[Any], Any]) -> None:
    env = DinosaurEnv()
    np.testing.assert_array_equal(copied(env).reset(seed=2)[0], env.reset(seed=2)[0])


def test_the_batched_environments_can_be_copied_too(copied: Callable[[Any], Any]) -> None:
    config, animal = load_stage("velociraptor", 1), get_species("velociraptor")
    small = config.model_copy(update={"stage": config.stage.model_copy(update={"n_envs": 3})})
    one_by_one = native_env(animal, config.env, 3, seed=0)
    one_by_one.reset()
    rng = np.random.default_rng(0)
    for env in (one_by_one, training_env(animal, small, 0)):
        for _ in range(5):
            env.step(rng.uniform(-1, 1, (3, 14)).astype(np.float32))
        other = copied(env)
        for _ in range(60):
            action = rng.uniform(-1, 1, (3, 14)).astype(np.float32)
            ours, theirs = env.step(action), other.step(action)
            np.testing.assert_array_equal(ours.next_observation, theirs.next_observation)
            np.testing.assert_array_equal(ours.observation, theirs.observation)


def test_worlds_with_a_friction_of_their_own_keep_it(copied: Callable[[Any], Any]) -> None:
    stage = load_stage("velociraptor", 1)
    env = native_env(get_species("velociraptor"), stage.env, 2, seed=0, stream=Stream.TRAIN)
    env.reset()
    rows = np.ones(2, dtype=bool)
    pose = env.engine.sensed().qpos
    env.engine.reset(rows, pose, np.zeros((2, env.anatomy.nv), np.float32), {"friction": np.array([0.3, 1.2], "f4")})
    other = copied(env)
    saved = other.engine.state()["friction"]
    np.testing.assert_array_equal(saved, np.array([0.3, 1.2], "f4"))


def test_seeds_of_any_size_give_episodes_of_their_own() -> None:
    env = DinosaurEnv()
    seeds = [0, 2**32, 2**63 - 1, 2**63, 2**63 + 1, 2**64, 2**70]
    first = [env.reset(seed=seed)[0].tobytes() for seed in seeds]
    assert len(set(first)) == len(seeds)
    assert [env.reset(seed=seed)[0].tobytes() for seed in seeds] == first


def test_evaluation_takes_them_too() -> None:
    found = [mesozoic.evaluate("trex", stage=1, episodes=4, seed=seed) for seed in (2**63, 2**63 + 1, 2**64)]
    assert len({one.figures["policy"]["avg_reward"] for one in found}) == 3
    with pytest.raises(UserError, match="seed -1 is out of range"):
        mesozoic.evaluate("trex", stage=1, episodes=4, seed=-1)
