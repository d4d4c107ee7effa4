"""`gymnasium.make_vec` gives the batch itself: the episodes of single worlds, under Gymnasium's rules for many."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from support.vector_worlds import ID, MODES, SHORT, TASKS, N, make, moves, plain, play

from mesozoic.gym.vector_env import DinosaurVectorEnv
from mesozoic.sim.native_env import native_env
from mesozoic.species import Species


def test_make_vec_gives_the_batch_itself() -> None:
    for more in ({}, {"vectorization_mode": "vector_entry_point"}):
        envs = gymnasium.make_vec(ID, num_envs=3, stage=2, overrides="env.target_froude=0.1", **more)
        assert isinstance(envs, DinosaurVectorEnv)
        assert (envs.num_envs, envs.config.stage.number, envs.config.env.target_froude) == (3, 2, 0.1)
        one = gymnasium.make(ID)
        assert (envs.single_observation_space, envs.single_action_space) == (one.observation_space, one.action_space)
        assert envs.observation_space.shape == (3, *(one.observation_space.shape or ()))
        assert envs.action_space.shape == (3, *(one.action_space.shape or ()))
        assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        assert envs.spec is not None
        again = gymnasium.make_vec(envs.spec)
        assert isinstance(again, DinosaurVectorEnv)
        assert (again.num_envs, again.config) == (3, envs.config)
    assert isinstance(gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync"), SyncVectorEnv)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", TASKS)
def test_every_bit_is_that_of_gymnasiums_own_loop_over_single_worlds(task: str, mode: str) -> None:
    """Observations, rewards, ends, and infos with their masks, final ones included, over the ends of episodes."""
    name, overrides = TASKS[task]
    ours = gymnasium.make_vec(name, num_envs=N, overrides=overrides, autoreset_mode=mode)
    loop = {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": mode}}
    theirs = gymnasium.make_vec(name, num_envs=N, overrides=overrides, **loop)
    seeds = [5, 0, 2**65, 5]
    assert plain(ours.reset(seed=seeds)) == plain(theirs.reset(seed=seeds))
    actions = moves(ours, 100)
    actions[:, 0] *= 0.1  # it stands until its time is over
    found, expected = play(ours, actions), play(theirs, actions)
    assert found == expected
    final = [step[4] for step in found if len(step) == 5 and "final_obs" in step[4]]
    assert (len(final) > 2) == (mode == "SameStep")


@pytest.mark.parametrize("n", [3, 7])
def test_world_i_of_a_seed_has_the_episodes_of_world_i_of_the_batch(species: Species, n: int) -> None:
    envs = make("SameStep", n=3)
    batch = native_env(species, envs.config.env, n, seed=7)
    np.testing.assert_array_equal(envs.reset(seed=7)[0], batch.reset()[:3])
    ends = 0
    for action in moves(envs, 80, n=n):
        expected = batch.step(action)
        observation, reward, terminated, truncated, _ = envs.step(action[:3])
        np.testing.assert_array_equal(observation, expected.observation[:3])
        np.testing.assert_array_equal(reward, expected.reward[:3])
        ends += int((terminated | truncated).sum())
    assert ends > 5


def test_without_a_seed_worlds_go_on_with_their_next_episode() -> None:
    envs, other = make(), make()
    first = envs.reset(seed=3)[0]
    second = envs.reset()[0]
    assert not (first == second).all(axis=1).any()
    np.testing.assert_array_equal(envs.reset(seed=3)[0], first)
    np.testing.assert_array_equal(envs.reset()[0], second)
    assert not (envs.reset(seed=4)[0] == first).all(axis=1).any()
    chances = [one.reset()[0] for one in (make(), other)]
    assert not (chances[0] == chances[1]).all(axis=1).any()


def test_where_a_seed_of_the_list_is_none_the_world_goes_on() -> None:
    envs, other = make(), make()
    envs.reset(seed=3)
    second = envs.reset()[0]
    envs.reset(seed=3)
    mixed = envs.reset(seed=[9, None, 9, None])[0]
    np.testing.assert_array_equal(mixed[[1, 3]], second[[1, 3]])
    np.testing.assert_array_equal(mixed[0], mixed[2])
    np.testing.assert_array_equal(mixed[0], gymnasium.make(ID, overrides=SHORT).reset(seed=9)[0])
    assert len({row.tobytes() for row in other.reset(seed=[None] * N)[0]}) == N


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_resets_some_worlds_and_leaves_the_others_as_they_are(mode: str) -> None:
    envs, undisturbed = make(mode), make(mode)
    mask = np.array([True, False, True, False])
    before, _ = envs.reset(seed=3), undisturbed.reset(seed=3)
    second = make(mode).reset(seed=8)[0]
    actions = moves(envs, 20)
    for action in actions[:10]:
        now, _ = envs.step(0.1 * action)[0], undisturbed.step(0.1 * action)
    options = {"reset_mask": mask}
    mixed = envs.reset(seed=8, options=options)[0]
    np.testing.assert_array_equal(mixed[mask], second[mask])
    np.testing.assert_array_equal(mixed[~mask], now[~mask])
    assert options["reset_mask"] is mask, "wrappers look at it too"
    for action in actions[10:]:
        ours, theirs = envs.step(0.1 * action), undisturbed.step(0.1 * action)
        for one, other in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(one[~mask], other[~mask])
            assert not np.array_equal(ours[0][mask], theirs[0][mask])
    assert before is not None


def test_a_world_that_has_ended_waits_where_nothing_resets_by_itself() -> None:
    envs = make("Disabled")
    envs.reset(seed=0)
    still = np.zeros(envs.action_space.shape or (), dtype=np.float32)
    for _ in range(30):
        _, _, terminated, truncated, _ = envs.step(still)
    assert truncated.all() and not terminated.any()
    with pytest.raises(gymnasium.error.ResetNeeded, match="world 0 has ended; call reset"):
        envs.step(still)
    envs.reset(options={"reset_mask": np.array([True, False, True, True])})
    with pytest.raises(gymnasium.error.ResetNeeded, match="world 1 has ended; call reset"):
        envs.step(still)
    envs.reset(options={"reset_mask": truncated})
    assert not envs.step(still)[3].any()


def test_worlds_that_end_all_at_once_begin_again_all_at_once() -> None:
    envs = make()
    first = envs.reset(seed=0)[0]
    still = np.zeros(envs.action_space.shape or (), dtype=np.float32)
    truncated = np.zeros(N, dtype=bool)
    while not truncated.any():
        truncated = envs.step(still)[3]
    assert truncated.all()
    observation, reward, terminated, truncated, infos = envs.step(still)
    assert not reward.any() and not terminated.any() and not truncated.any() and infos == {}
    np.testing.assert_array_equal(observation, two_resets(0))
    assert not (observation == first).all(axis=1).any()


def two_resets(seed: int) -> np.ndarray:
    envs = make()
    envs.reset(seed=seed)
    return envs.reset()[0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e)), None])
@pytest.mark.parametrize("mode", MODES)
def test_a_copy_goes_on_with_the_same_bits(mode: str, copied: Callable[[Any], Any] | None) -> None:
    envs = make(mode)
    envs.reset(seed=[1, 2, 3, 4])
    play(envs, moves(envs, 40))
    other = (copied or (lambda e: pickle.loads(cloudpickle.dumps(e))))(envs)
    later = moves(envs, 60, seed=1)
    assert play(other, later) == play(envs, later)
    assert plain(other.reset()) == plain(envs.reset())


def test_what_was_handed_out_is_never_overwritten_nor_looked_at_again() -> None:
    for mode in MODES:
        envs, other = make(mode), make(mode)
        kept = [envs.reset(seed=0)]
        other.reset(seed=0)
        rows = moves(envs, 40)
        if mode != "Disabled":
            kept += [envs.step(action) for action in rows]
            before = plain(kept)
            play(envs, rows)
            assert plain(kept) == before
            for action in rows:
                for part in other.step(action)[:4]:
                    part[...] = 1
            assert plain(other.step(rows[0])) != plain(kept[-1])
            for one in (envs, other):
                one.reset(seed=5)
            mask = np.arange(N) == 0
            other.reset(seed=5)[0][:] = 7
            assert plain(envs.reset(options={"reset_mask": mask})) == plain(other.reset(options={"reset_mask": mask}))
