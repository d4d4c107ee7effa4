"""What the batch of worlds cannot do is refused in one sentence, before anything changes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from support.vector_worlds import ID, N, make, plain

from mesozoic.errors import UserError


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_envs": 0}, "num_envs 0 is out of range; give 1 to 65536"),
        ({"num_envs": 2.5}, "num_envs must be an integer, not 2.5"),
        ({"autoreset_mode": "sometimes"}, "'sometimes' is not known; use one of 'NextStep', 'SameStep', 'Disabled'"),
        ({"render_mode": "human"}, "'human' is not supported; use 'rgb_array' or None, or wrap it in .*HumanRendering"),
        ({"max_episode_steps": 9}, r"takes no 'max_episode_steps', .*use overrides=\['env.max_episode_steps=9'\]"),
        ({"colour": "red"}, "takes no 'colour', but stage, overrides, render_mode and autoreset_mode"),
        ({"stage": 9}, "stage 9"),
        ({"overrides": "env.push_intervall=1"}, "push_interval"),
    ],
)
def test_what_make_vec_cannot_give_is_refused_in_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        gymnasium.make_vec(ID, **arguments)


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        ([1, 2], "2 seeds do not fit 4 worlds; give one for each, or a single one for all"),
        ([1, 2, 3, -4], "a seed -4 is out of range; give 0 or more"),
        (-1, "seed -1 is out of range; give 0 or more"),
        (1.5, "seed must be an integer, not 1.5"),
        ("1", "seed must be an integer, not '1'"),
        ([1, 2, 3, "4"], "a seed must be an integer, not '4'"),
    ],
)
def test_a_seed_that_is_none_is_refused_and_nothing_begins(seed: Any, sentence: str) -> None:
    envs, other = make(), make()
    for one in (envs, other):
        one.reset(seed=0)
    with pytest.raises(UserError, match=sentence):
        envs.reset(seed=seed)
    assert plain(envs.reset()) == plain(other.reset())


@pytest.mark.parametrize(
    "mask", [[True] * N, np.ones(3, bool), np.ones(N, int), np.zeros(N, bool), np.ones((N, 1), bool)]
)
def test_a_mask_that_is_none_is_refused(mask: Any) -> None:
    envs = make()
    envs.reset(seed=0)
    with pytest.raises(UserError, match=r"must be a NumPy array \(4,\) of bool, at least one True; it is "):
        envs.reset(options={"reset_mask": mask})


def test_everything_needs_a_reset_of_all_worlds_first() -> None:
    envs = make(render_mode="rgb_array")
    for call in (lambda: envs.step(envs.action_space.sample()), envs.render):
        with pytest.raises(gymnasium.error.ResetNeeded):
            call()
    with pytest.raises(gymnasium.error.ResetNeeded, match="without 'reset_mask' once"):
        envs.reset(options={"reset_mask": np.arange(N) == 1})


@pytest.mark.parametrize("shape", [(14,), (1, 14), (N, 1), (N, 14, 1), ()])
def test_actions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    envs, env = make(), gymnasium.make(ID).unwrapped
    envs.reset(seed=0)
    env.reset(seed=0)
    with pytest.raises(UserError, match=r"the action has the shape .* it must be \(4, 14\)"):
        envs.step(np.zeros(shape, dtype=np.float32))
    if shape != (14,):
        with pytest.raises(UserError, match=r"the action has the shape .* it must be \(14,\)"):
            env.step(np.zeros(shape, dtype=np.float32))
