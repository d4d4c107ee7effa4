"""Episode statistics: the same on numpy and jax.numpy, and those that counting by hand gives."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesozoic.learn.tally import begin_tally, count, episode_metrics
from mesozoic.task import Transition

N = 4


def transitions(seed: int, steps: int) -> list[Transition]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(steps):
        terminated = rng.random(N) < 0.2
        truncated = (rng.random(N) < 0.2) & ~terminated
        reward = rng.normal(size=N).astype(np.float32)
        nothing = np.zeros((N, 1), np.float32)
        made.append(
            Transition(nothing, nothing, reward, {"a": reward}, {"low": terminated}, terminated, terminated, truncated)
        )
    return made


def counted(xp: Any, steps: list[Transition]) -> dict[str, float]:
    tally, terms, ended = begin_tally(xp, N), {}, {}
    for step in steps:
        tally, more_terms, more_ended = count(xp, tally, step)
        for total, more in ((terms, more_terms), (ended, more_ended)):
            for name, value in more.items():
                total[name] = total.get(name, 0.0) + value
    assert tally.reward.dtype == np.float32 and tally.length.dtype == np.int32
    return episode_metrics(N * len(steps), terms, ended)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12))
def test_counts_whole_episodes_only_and_each_once(seed: int, steps: int) -> None:
    made = transitions(seed, steps)
    rewards, lengths, timeouts = [], [], 0
    for world in range(N):
        begun = 0
        for t, step in enumerate(made):
            if step.terminated[world] or step.truncated[world]:
                rewards.append(sum(float(s.reward[world]) for s in made[begun : t + 1]))
                lengths.append(t + 1 - begun)
                timeouts += int(step.truncated[world])
                begun = t + 1
    found = counted(np, made)
    assert found["reward/a"] == pytest.approx(np.mean([s.reward for s in made]), abs=1e-6)
    if not rewards:
        assert set(found) == {"reward/a"}, "no episode has ended, so there is no mean"
        return
    assert found["rollout/episodes"] == len(rewards)
    assert found["rollout/episode_reward"] == pytest.approx(np.mean(rewards), abs=1e-5)
    assert found["rollout/episode_length"] == pytest.approx(np.mean(lengths))
    assert found["end/timeout"] == pytest.approx(timeouts / len(rewards))
    assert found["end/low"] == pytest.approx(1.0 - timeouts / len(rewards))


def test_both_array_libraries_count_alike() -> None:
    made = transitions(3, 10)
    ours, theirs = counted(np, made), counted(jnp, made)
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
