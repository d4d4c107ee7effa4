"""The Stable-Baselines3 learners are functions of their seed, and continue bit for bit from any state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from support.learners import learn_until

from mesozoic.learn.policy import Policy
from mesozoic.run.checkpoint import load_state, save_checkpoint

Make = Callable[..., tuple[Any, Any]]
CHUNK = {"ppo": 64, "sac": 32}
"""Steps over all worlds between two updates of the tiny stage."""

CASES = {
    "ppo": ("ppo", 2, ()),
    "ppo averaged": ("ppo", 3, ("ppo.average_updates=4",)),
    "ppo scheduled": ("ppo", 2, ("ppo.log_std_end=-2.0", "ppo.learning_rate_end=1e-5", "ppo.target_kl=0.001")),
    "ppo ramp": ("ppo", 2, ("curriculum.ramp_timesteps=200", "curriculum.warmup_timesteps=160")),
    "sac before it learns": ("sac", 1, ()),
    "sac as it begins to learn": ("sac", 2, ()),
    "sac learning": ("sac", 5, ("sac.learning_rate_end=1e-5",)),
    "sac fixed entropy": ("sac", 4, ("sac.ent_coef=0.2",)),
    "sac buffer full": ("sac", 5, ("sac.buffer_size=96",)),
}
"""Name -> algorithm, updates before the state is taken, overrides."""


def updates(learner: Any, count: int, algorithm: str) -> dict[str, float]:
    return learn_until(learner, learner.step + (count - 1) * CHUNK[algorithm] + 1)


def files(policy: Policy) -> tuple[bytes, dict[str, bytes]]:
    return policy.to_bytes(), policy.sidecars


def flat(state: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of a nested state by path; arrays as dtype, shape and bytes."""
    leaves: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{prefix}{name}/")
        elif isinstance(value, np.ndarray):
            leaves[prefix + name] = (value.dtype.str, value.shape, value.tobytes())
        else:
            leaves[prefix + name] = value
    return leaves


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_learns_in_whole_rollouts(make: Make, algorithm: str) -> None:
    env, learner = make(algorithm)
    assert learner.step == 0
    learn_until(learner, 1)
    assert learner.step == CHUNK[algorithm] == learner.policy().info["step"]
    learn_until(learner, learner.step)
    assert learner.step == CHUNK[algorithm], "already there"
    learn_until(learner, 2 * CHUNK[algorithm] + 1)
    assert learner.step == 3 * CHUNK[algorithm]
    policy = learner.policy()
    assert (policy.species, policy.stage, policy.hidden) == ("velociraptor", 1, (16, 16))
    assert (policy.observation_size, policy.action_size) == (env.observation_size, env.action_size)
    assert policy.info["learner"] == f"sb3-{algorithm}"


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_the_seed_decides_the_policy(make: Make, algorithm: str) -> None:
    made = []
    for seed in (0, 0, 1):
        _, learner = make(algorithm, seed=seed)
        updates(learner, 4, algorithm)
        made.append(files(learner.policy()))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]


@pytest.mark.parametrize("case", CASES)
def test_continues_bit_for_bit_in_a_new_environment_and_learner(make: Make, tmp_path: Path, case: str) -> None:
    algorithm, before, overrides = CASES[case]
    env, learner = make(algorithm, *overrides)
    updates(learner, before, algorithm)
    state = {"learner": learner.state(), "env": env.state()}
    saved = load_state(save_checkpoint(tmp_path, learner.step, state, {}))
    assert flat(saved) == flat(state)
    policy_then = files(learner.policy())
    expected = updates(learner, 3, algorithm)
    result, whole = files(learner.policy()), flat({"learner": learner.state(), "env": env.state()})

    for through_disk in (False, True):
        source = saved if through_disk else state
        new_env, new = make(algorithm, *overrides)
        new_env.set_state(source["env"])
        new.set_state(source["learner"])
        assert new.step == before * CHUNK[algorithm]
        assert flat({"learner": new.state(), "env": new_env.state()}) == flat(state)
        assert files(new.policy()) == policy_then, "a run that stopped after its last checkpoint saves the same policy"
        assert updates(new, 3, algorithm) == expected
        assert files(new.policy()) == result
        assert flat({"learner": new.state(), "env": new_env.state()}) == whole


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_a_learner_that_has_not_begun_has_a_state(make: Make, tmp_path: Path, algorithm: str) -> None:
    env, learner = make(algorithm)
    saved = load_state(save_checkpoint(tmp_path, 0, {"learner": learner.state(), "env": env.state()}, {}))
    updates(learner, 3, algorithm)
    new_env, new = make(algorithm)
    new_env.set_state(saved["env"])
    new.set_state(saved["learner"])
    updates(new, 3, algorithm)
    assert new.policy().to_bytes() == learner.policy().to_bytes()


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_policies_and_states_do_not_change_when_learning_goes_on(make: Make, algorithm: str) -> None:
    _, learner = make(algorithm)
    updates(learner, 4, algorithm)
    policy, state = learner.policy(), learner.state()
    before, weights = files(policy), flat(state)
    assert files(learner.policy()) == before
    assert flat(learner.state()) == weights, "asking for the policy changes nothing"
    updates(learner, 2, algorithm)
    assert files(policy) == before and flat(state) == weights
    assert files(learner.policy())[0] != before[0]


def test_metrics_say_how_training_goes(make: Make) -> None:
    _, ppo = make("ppo")
    metrics = updates(ppo, 3, "ppo")
    expected = {"train/value_loss", "train/approx_kl", "train/learning_rate", "rollout/episode_reward", "reward/alive"}
    assert expected <= metrics.keys()
    _, sac = make("sac")
    updates(sac, 2, "sac")
    metrics = updates(sac, 1, "sac")
    assert {"train/critic_loss", "train/ent_coef", "train/learning_rate", "reward/alive"} <= metrics.keys()
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_saved_ppo_policy_is_the_mean_of_the_last_updates(make: Make) -> None:
    """`average_updates = 2`: the first policy itself, then half of the old mean and half of the new weights."""
    _, averaged = make("ppo", "ppo.average_updates=2")
    _, plain = make("ppo")
    kernels: list[np.ndarray] = []
    for _ in range(3):
        updates(averaged, 1, "ppo")
        kernels.append(averaged.state()["policy"]["action_net.weight"].T)
    first, second, third = kernels
    expected = ((first + second) / 2 + third) / 2
    np.testing.assert_allclose(averaged.policy().arrays["actor/2/kernel"], expected, atol=1e-7)
    updates(plain, 3, "ppo")
    assert (plain.policy().arrays["actor/2/kernel"] == plain.state()["policy"]["action_net.weight"].T).all()


def test_sac_learns_only_once_it_has_enough_transitions(make: Make) -> None:
    _, learner = make("sac")
    begun = flat(learner.state()["policy"])
    updates(learner, 2, "sac")
    assert flat(learner.state()["policy"]) == begun
    assert learner.state()["buffer_pos"] == 8
    updates(learner, 1, "sac")
    assert flat(learner.state()["policy"]) != begun


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_the_torch_threads_are_set(make: Make, algorithm: str) -> None:
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    try:
        make(algorithm, "sb3.torch_threads=2")
        assert torch.get_num_threads() == 2
        make(algorithm)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
