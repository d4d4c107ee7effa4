"""What is not finite stops a training with Stable-Baselines3 too, at the weights of before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.learners import learn_until

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from mesozoic.learn.learner import Diverged
from mesozoic.sim.batch_env import BatchEnv

Make = Callable[..., tuple[BatchEnv, Any]]


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_reward_that_is_not_finite(make: Make, algorithm: str, value: float) -> None:
    env, learner = make(algorithm)
    learn_until(learner, 128)
    step, policy = learner.step, learner.policy().arrays
    real = env.step

    def spoiled(*arguments: Any) -> Any:
        transition = real(*arguments)
        reward = transition.reward.copy()
        reward[0] = value
        return transition._replace(reward=reward)

    env.step = spoiled  # type: ignore[method-assign]
    with pytest.raises(Diverged, match=r"diverged at .* is not finite .*lower the learning rate"):
        learner.learn()
    after = learner.policy().arrays
    assert all(np.isfinite(array).all() for array in after.values())
    assert learner.step >= step and after.keys() == policy.keys()
