"""The Gymnasium environment: the same episodes as the batched one, under Gymnasium's own rules."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import mesozoic
from mesozoic.errors import UserError
from mesozoic.gym.env import DinosaurEnv
from mesozoic.gym.registration import env_id, register_envs
from mesozoic.sim.native_env import native_env
from mesozoic.species import Species, stage_files

ROOT = Path(mesozoic.__file__).parents[1]
ID = "mesozoic/Velociraptor-Balance-v0"
SHORT = ["env.max_episode_steps=30", "curriculum.min_avg_episode_length=0", "env.push_interval=0.4"]


@pytest.fixture
def env() -> Iterator[DinosaurEnv]:
    env = DinosaurEnv(overrides=SHORT)
    yield env
    env.close()


def test_gymnasium_finds_nothing_to_complain_about() -> None:
    register_envs()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(gymnasium.make(ID, disable_env_checker=True).unwrapped)
    # Observations have no bounds of their own; that is the one remark left.
    assert [str(w.message) for w in caught if "infinity" not in str(w.message)] == []


def test_it_steps_bit_for_bit_like_world_zero_of_a_batch(species: Species, env: DinosaurEnv) -> None:
    batch = native_env(species, env.config.env, 16, seed=11)
    env.action_space.seed(0)
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=11)
    np.testing.assert_array_equal(observation, batch.reset()[0])
    episodes = 0
    for _ in range(120):
        actions = rng.uniform(-1, 1, (16, batch.action_size)).astype(np.float32)
        actions[0] = env.action_space.sample()
        moment = batch.step(actions)
        observation, reward, terminated, truncated, info = env.step(actions[0])
        np.testing.assert_array_equal(observation, moment.next_observation[0])
        assert (reward, terminated, truncated) == (moment.reward[0], moment.terminated[0], moment.truncated[0])
        assert {f"reward/{name}": value[0] for name, value in moment.terms.items()}.items() <= info.items()
        assert ("reasons" in info) == (terminated or truncated)
        if terminated or truncated:
            episodes += 1
            np.testing.assert_array_equal(env.reset()[0], moment.observation[0])
    assert episodes > 2


def test_a_step_returns_plain_python_values(env: DinosaurEnv) -> None:
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert observation in env.observation_space
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
    assert sum(info.values()) == pytest.approx(reward)


def test_the_end_of_an_episode_has_a_reason(env: DinosaurEnv) -> None:
    env.reset(seed=0)
    ended, info = False, {}
    while not ended:
        _, _, terminated, ended, info = env.step(np.zeros(env.action_space.shape, dtype=np.float32))
        assert not terminated
    assert info["reasons"] == ["timeout"]
    env.reset(seed=0)
    state = env._env.engine.state()
    state["physics"][:, 1 + env._env.anatomy.nq] = np.nan
    env._env.engine.set_state(state)
    _, _, terminated, _, info = env.step(np.zeros(env.action_space.shape, dtype=np.float32))
    assert terminated
    assert info["reasons"] == ["diverged"]


def test_success_ends_an_episode_and_says_so() -> None:
    prey = ["env.prey_distance_range=[1, 1]", "env.reach_radius=10", "env.hold_time=0.1", "env.task_bonus=1"]
    env = DinosaurEnv(overrides=[*SHORT, *prey])
    env.reset(seed=0)
    for i in range(6):
        _, _, terminated, truncated, info = env.step(np.zeros(env.action_space.shape, dtype=np.float32))
        assert terminated == (i == 5)
        assert not truncated
        assert info.get("reasons") == (["succeeded"] if terminated else None)


def test_seeds_decide_the_episodes(env: DinosaurEnv) -> None:
    first = env.reset(seed=3)[0]
    second = env.reset()[0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(env.reset(seed=3)[0], first)
    np.testing.assert_array_equal(env.reset()[0], second)
    assert not np.array_equal(env.reset(seed=4)[0], first)


def test_without_a_seed_every_environment_is_different() -> None:
    starts = [DinosaurEnv(overrides=SHORT).reset()[0] for _ in range(2)]
    assert not np.array_equal(*starts)


def test_stepping_needs_a_reset(env: DinosaurEnv) -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())


def test_overrides_reach_the_task(env: DinosaurEnv) -> None:
    assert env.config.env.max_episode_steps == 30
    with pytest.raises(UserError, match=r"env\.push_interval"):
        DinosaurEnv(overrides=["env.push_intervall=1"])
    with pytest.raises(UserError, match="rgb_array"):
        DinosaurEnv(render_mode="human")


def test_every_stage_file_has_its_id() -> None:
    assert env_id("tyrannosaurus_rex", "food_reach") == "mesozoic/TyrannosaurusRex-FoodReach-v0"
    files = stage_files("velociraptor")
    register_envs()
    specs = [spec for name, spec in gymnasium.registry.items() if name.startswith("mesozoic/Velociraptor-")]
    assert sorted(spec.kwargs["stage"] for spec in specs) == sorted(files)
    assert gymnasium.spec(ID).max_episode_steps is None


def test_gymnasium_finds_the_id_by_the_module_alone() -> None:
    code = (
        "import gymnasium\n"
        f"env = gymnasium.make('mesozoic.gym.registration:{ID}')\n"
        "print(env.reset(seed=0)[0].shape == env.observation_space.shape, 'TimeLimit' in str(env))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "False"], done.stderr
