"""Exploration that is scheduled, and the averaged weights that are evaluated."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.learn.ppo import learner as learner_module
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


class TestQuietWorlds:
    """Some worlds act without noise for a while, as the policy will when it is evaluated."""

    def noises(self, learner: PPO, count: int) -> list[NDArray[np.float32]]:
        seen, collect = [], learner.collector.collect

        def listen(actor: object, noise: object, ramp: object) -> object:
            seen.append(np.asarray(noise))
            return collect(actor, noise, ramp)

        learner.collector.collect = listen  # type: ignore[method-assign, assignment]
        for _ in range(count):
            learner.learn()
        return seen

    def test_there_are_none_unless_asked_for(self, make: MakeLearner) -> None:
        _, learner = make()
        assert all((noise != 0).all() for noise in self.noises(learner, 2))

    def test_a_world_is_quiet_for_so_many_steps_and_then_others_are(
        self, make: MakeLearner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rollouts have 8 steps: each two of them have the same quiet worlds."""
        monkeypatch.setattr(learner_module, "QUIET_STEPS", 16)
        _, learner = make("jax.quiet_share=0.5", "stage.n_envs=64", "ppo.batch_size=512")
        rollouts = self.noises(learner, 8)
        quiet = [(noise == 0).all(axis=(0, 2)) for noise in rollouts]
        assert all(((noise == 0).any(axis=(0, 2)) == q).all() for noise, q in zip(rollouts, quiet, strict=True))
        assert all(12 < q.sum() < 52 for q in quiet)
        assert [bool((a == b).all()) for a, b in itertools.pairwise(quiet)] == [True, False] * 3 + [True]

    def test_they_begin_when_that_share_of_the_budget_is_used(self, make: MakeLearner) -> None:
        """The budget is four rollouts."""
        _, learner = make("jax.quiet_share=0.9", "jax.quiet_from=0.5")
        assert [bool((noise == 0).any()) for noise in self.noises(learner, 4)] == [False, False, True, True]

    def test_the_actor_learns_nothing_from_them_and_the_critic_does(self, make: MakeLearner) -> None:
        """All worlds are quiet: the sample of a mean says nothing of what else could have been done."""
        _, learner = make("jax.quiet_share=0.5", "ppo.ent_coef=0.0", "ppo.max_grad_norm=1000.0")
        learner._noise = lambda key: jnp.zeros((8, 8, learner.collector.anatomy.nu))
        before = learner.policy().arrays
        metrics = learner.learn()
        after = learner.policy().arrays
        assert metrics["train/approx_kl"] == metrics["train/policy_loss"] == 0.0
        for name in before:
            if name.startswith("actor/"):
                np.testing.assert_array_equal(after[name], before[name])
        assert any((after[name] != before[name]).any() for name in before if name.startswith("critic/"))

    def test_a_resumed_training_has_the_same(self, make: MakeLearner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(learner_module, "QUIET_STEPS", 24)
        options = ("jax.quiet_share=0.5",)
        _, straight = make(*options)
        wanted = self.noises(straight, 6)
        _, first = make(*options)
        self.noises(first, 3)
        _, second = make(*options)
        second.set_state(first.state())
        for mine, theirs in zip(self.noises(second, 3), wanted[3:], strict=True):
            np.testing.assert_array_equal(mine, theirs)
