"""The JAX learner is a function of its seed, and continues bit for bit from any state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.learners import learn_until

from mesozoic.errors import UserError
from mesozoic.learn.policy import load_policy
from mesozoic.learn.ppo.learner import PPO
from mesozoic.run.checkpoint import load_state, save_checkpoint
from mesozoic.sim.batch_env import BatchEnv

MakeLearner = Callable[..., tuple[BatchEnv, PPO]]


def updates(learner: PPO, count: int) -> dict[str, float]:
    return learn_until(learner, learner.step + (count - 1) * learner.rollout_steps + 1)


@pytest.fixture(scope="module")
def trained(make: MakeLearner) -> tuple[BatchEnv, PPO]:
    """Two updates old. Tests here only look at it."""
    env, learner = make()
    updates(learner, 2)
    return env, learner


@pytest.fixture(scope="module")
def policy_file(trained: tuple[BatchEnv, PPO], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "p.zip"
    path.write_bytes(trained[1].policy().to_bytes())
    return path


def test_learns_in_whole_rollouts(make: MakeLearner) -> None:
    _, learner = make()
    assert learner.rollout_steps == 64
    learn_until(learner, 1)
    assert learner.step == 64
    learn_until(learner, 64)
    assert learner.step == 64, "already there"
    learn_until(learner, 65)
    assert learner.step == 128


def test_the_seed_decides_the_policy(make: MakeLearner, trained: tuple[BatchEnv, PPO]) -> None:
    _, again = make()
    updates(again, 2)
    assert again.policy().to_bytes() == trained[1].policy().to_bytes()
    _, other = make(seed=1)
    updates(other, 2)
    assert other.policy().to_bytes() != again.policy().to_bytes()


@pytest.mark.parametrize("through_disk", [False, True])
def test_continues_bit_for_bit_in_a_new_environment_and_learner(
    make: MakeLearner, tmp_path: Path, through_disk: bool
) -> None:
    env, learner = make()
    updates(learner, 2)
    state = {"learner": learner.state(), "env": env.state()}
    if through_disk:
        state = load_state(save_checkpoint(tmp_path, learner.step, state, {}))
    expected = updates(learner, 2)
    new_env, new_learner = make()
    new_env.set_state(state["env"])
    new_learner.set_state(state["learner"])
    assert new_learner.step == 128
    assert updates(new_learner, 2) == expected
    assert new_learner.policy().to_bytes() == learner.policy().to_bytes()
    assert new_env.observation.tobytes() == env.observation.tobytes()


def test_policies_and_states_do_not_change_when_learning_goes_on(make: MakeLearner) -> None:
    _, learner = make()
    updates(learner, 1)
    policy, state = learner.policy(), learner.state()
    before, kept = policy.to_bytes(), {name: array.copy() for name, array in state["train"].items()}
    updates(learner, 2)
    assert policy.to_bytes() == before
    assert all((state["train"][name] == array).all() for name, array in kept.items())
    assert learner.policy().to_bytes() != before


def test_the_policy_describes_the_animal_it_was_trained_for(trained: tuple[BatchEnv, PPO]) -> None:
    env, learner = trained
    policy = learner.policy()
    assert (policy.species, policy.stage, policy.hidden) == ("velociraptor", 1, (16, 16))
    assert (policy.observation_size, policy.action_size) == (env.observation_size, env.action_size)
    assert policy.info["step"] == learner.step == 128


def test_a_warm_start_acts_as_the_policy_does(
    make: MakeLearner, trained: tuple[BatchEnv, PPO], policy_file: Path
) -> None:
    observation = np.random.default_rng(0).normal(size=(50, trained[0].observation_size)).astype(np.float32)
    _, learner = make(seed=5, warm_start=load_policy(policy_file))
    expected = trained[1].policy().act(observation)
    assert learner.policy().act(observation).tobytes() == expected.tobytes()
    _, fresh = make(seed=5)
    assert fresh.policy().act(observation).tobytes() != expected.tobytes()


def test_a_warm_start_from_a_file_learns_as_one_from_memory(
    make: MakeLearner, trained: tuple[BatchEnv, PPO], policy_file: Path
) -> None:
    _, from_file = make(seed=5, warm_start=load_policy(policy_file))
    _, from_memory = make(seed=5, warm_start=trained[1].policy())
    assert updates(from_file, 2) == updates(from_memory, 2)
    assert from_file.policy().to_bytes() == from_memory.policy().to_bytes()


def test_a_warm_start_with_other_widths_is_refused(make: MakeLearner, policy_file: Path) -> None:
    with pytest.raises(UserError, match=r"ppo\.net_arch"):
        make("ppo.net_arch=[16, 8]", warm_start=load_policy(policy_file))


def test_learning_rate_and_entropy_follow_their_schedules(make: MakeLearner) -> None:
    _, learner = make(
        "ppo.learning_rate=1e-3", "ppo.learning_rate_end=1e-4", "ppo.ent_coef=0.01", "ppo.ent_anneal_fraction=0.5"
    )
    seen = [updates(learner, 1) for _ in range(6)]  # four are the budget
    rates = [metrics["train/learning_rate"] for metrics in seen]
    assert rates == pytest.approx([1e-3, 7.75e-4, 5.5e-4, 3.25e-4, 1e-4, 1e-4])
    assert [metrics["train/ent_coef"] for metrics in seen] == pytest.approx([0.01, 0.005, 0.0, 0.0, 0.0, 0.0])


def test_without_an_end_the_learning_rate_stays(make: MakeLearner) -> None:
    _, learner = make("ppo.learning_rate=1e-3", "ppo.learning_rate_end=None")
    assert [updates(learner, 1)["train/learning_rate"] for _ in range(3)] == pytest.approx([1e-3] * 3)


def test_a_small_target_kl_ends_updates_early(make: MakeLearner, trained: tuple[BatchEnv, PPO]) -> None:
    _, cautious = make("ppo.target_kl=1e-7")
    _, free = make()
    assert updates(free, 1)["train/gradient_steps"] == 4
    metrics = updates(cautious, 1)
    assert 1 <= metrics["train/gradient_steps"] < 4
    assert all(np.isfinite(value) for value in metrics.values())
