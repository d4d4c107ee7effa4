"""Exploration that is scheduled, and the averaged weights that are evaluated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mesozoic.learn.ppo.learner import PPO
from mesozoic.sim.batch_env import BatchEnv

MakeLearner = Callable[..., tuple[BatchEnv, PPO]]


def after_each_update(learner: PPO, name: str, count: int) -> list[np.ndarray]:
    found = []
    for _ in range(count):
        learner.learn()
        found.append(np.asarray(learner.policy().arrays[name]))
    return found


def test_scheduled_exploration_falls_linearly_and_stays(make: MakeLearner) -> None:
    _, learner = make("ppo.log_std_init=-1.0", "ppo.log_std_end=-2.0", "ppo.log_std_fraction=0.5", "ppo.ent_coef=0.1")
    found = after_each_update(learner, "log_std", 5)  # four are the budget
    for values, expected in zip(found, [-1.0, -1.5, -2.0, -2.0, -2.0], strict=True):
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_without_an_end_exploration_is_learned(make: MakeLearner) -> None:
    _, learner = make("ppo.log_std_init=-1.0", "ppo.log_std_end=None", "ppo.ent_coef=1.0")
    found = after_each_update(learner, "log_std", 2)
    assert (found[0] > -1.0).all(), "the entropy bonus raises it"
    assert (found[1] > found[0]).all()


def test_the_policy_has_the_mean_of_the_last_weights(make: MakeLearner) -> None:
    """With the same seed the weights themselves do not depend on the averaging."""
    name = "actor/0/kernel"
    _, plain = make("ppo.average_updates=1")
    raw = after_each_update(plain, name, 4)
    _, averaged = make("ppo.average_updates=3")
    found = after_each_update(averaged, name, 4)
    mean = raw[0]
    for count, (weights, average) in enumerate(zip(raw, found, strict=True), start=1):
        mean = mean + (weights - mean) / min(count, 3)
        np.testing.assert_allclose(average, mean, atol=1e-6)
    assert not np.array_equal(raw[-1], found[-1])


@pytest.mark.parametrize("updates", [1, 2])
def test_critic_and_exploration_are_those_of_the_last_update(make: MakeLearner, updates: int) -> None:
    _, plain = make("ppo.average_updates=1")
    _, averaged = make("ppo.average_updates=3")
    for name in ("critic/0/kernel", "log_std"):
        last = after_each_update(plain, name, updates)[-1]
        assert np.array_equal(after_each_update(averaged, name, updates)[-1], last)
