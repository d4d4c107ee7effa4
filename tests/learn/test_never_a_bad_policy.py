"""Nothing that is not finite gets into a policy: the learner stops at the state before it, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.learn.host_collector import HostCollector
from mesozoic.learn.learner import Diverged
from mesozoic.learn.ppo.learner import PPO
from mesozoic.learn.rollout import Rollout
from mesozoic.sim.batch_env import BatchEnv

MakeLearner = Callable[..., tuple[BatchEnv, PPO]]


def spoil(learner: PPO, **parts: float) -> None:
    """From now on, one entry of these parts of each rollout has the given value."""
    collector = learner.collector
    collect = collector.collect

    def spoiled(*arguments: Any) -> Any:
        rollout, stats = collect(*arguments)
        for name, value in parts.items():
            array: NDArray[np.float32] = getattr(rollout, name).copy()
            array.flat[0] = value
            rollout = rollout._replace(**{name: array})
        return rollout, stats

    collector.collect = spoiled  # type: ignore[method-assign]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["reward", "observation", "next_observation", "action"])
def test_what_is_not_finite_stops_the_training_and_leaves_the_state_of_before(
    make: MakeLearner, part: str, value: float
) -> None:
    assert part in Rollout._fields
    _, learner = make()
    learner.learn()
    before, policy = learner.state()["train"], learner.policy().to_bytes()
    spoil(learner, **{part: value})
    with pytest.raises(Diverged, match=r"diverged at 64 steps.*learning rate.*lower") as caught:
        learner.learn()
    assert len(str(caught.value)) < 300 and caught.value.exit_code == 2
    assert learner.step == 64 and learner.policy().to_bytes() == policy
    after = learner.state()["train"]
    assert all(after[name].tobytes() == array.tobytes() for name, array in before.items())


def test_rewards_too_large_for_float32_stop_it_as_well(make: MakeLearner) -> None:
    _, learner = make()
    spoil(learner, reward=3e38)
    with pytest.raises(Diverged):
        learner.learn()
    assert all(np.isfinite(array).all() for array in learner.policy().arrays.values())


def test_it_can_go_on_from_the_state_that_is_left(make: MakeLearner) -> None:
    _, learner = make()
    spoil(learner, reward=np.nan)
    with pytest.raises(Diverged):
        learner.learn()
    _, again = make()
    again.set_state(learner.state())
    assert np.isfinite(again.learn()["train/value_loss"])
    assert again.step == 64


def test_minibatches_of_mirror_images_only_do_not_end_the_update(make: MakeLearner) -> None:
    """With one sample in a minibatch, half of them are a lone mirror image, of which there is no divergence."""
    _, learner = make("ppo.batch_size=1", "ppo.target_kl=1000.0", "jax.mirror=true", "jax.normalize_advantage=false")
    metrics = learner.learn()
    assert (metrics["train/gradient_steps"], metrics["train/skipped_steps"]) == (128.0, 0.0)
    assert all(np.isfinite(value) for value in metrics.values())


def test_skipped_gradient_steps_are_counted(make: MakeLearner) -> None:
    _, cautious = make("ppo.target_kl=1e-7")
    metrics = cautious.learn()
    assert metrics["train/skipped_steps"] > 0
    assert metrics["train/gradient_steps"] + metrics["train/skipped_steps"] == 4


def test_a_second_compilation_is_impossible(make: MakeLearner) -> None:
    _, learner = make()
    learner.learn()
    collect = learner.collector.collect
    assert isinstance(learner.collector, HostCollector)

    def shorter(actor: Any, noise: Any, ramp: Any) -> Any:
        rollout, stats = collect(actor, noise, ramp)
        return Rollout(*(part[:-1] for part in rollout)), stats

    learner.collector.collect = shorter  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        learner.learn()
