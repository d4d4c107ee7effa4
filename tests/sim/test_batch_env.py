"""The batched environment: reproducible episodes, exact continuation, independent worlds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.config import EnvSection
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species
from mesozoic.task import Transition

N = 4


@pytest.fixture(scope="session")
def easy_prey() -> EnvSection:
    """Anything the animal does is a strike, as long as it stands."""
    return EnvSection(prey_distance_range=(1.0, 1.0), reach_radius=10.0, hold_time=0.2, task_bonus=1.0, alive_bonus=0.0)


def _actions(steps: int, size: int, n: int = N, seed: int = 0) -> NDArray[np.float32]:
    """Random actions [steps, n, size]; the first worlds get the same ones for any n."""
    rngs = [np.random.default_rng([seed, world]) for world in range(n)]
    return np.stack([rng.uniform(-1, 1, (steps, size)).astype(np.float32) for rng in rngs], axis=1)


def _assert_same(a: Transition, b: Transition, worlds: object = slice(None)) -> None:
    for name in ("observation", "reward", "succeeded", "terminated", "truncated", "next_observation"):
        np.testing.assert_array_equal(getattr(a, name)[worlds], getattr(b, name)[worlds], err_msg=name)
    for kind in ("terms", "reasons"):
        for name, value in getattr(a, kind).items():
            np.testing.assert_array_equal(value[worlds], getattr(b, kind)[name][worlds], err_msg=name)


def test_saved_and_restored_it_continues_bit_for_bit(species: Species, busy_env: EnvSection) -> None:
    env = native_env(species, busy_env, N, seed=3)
    env.reset()
    actions = _actions(100, env.action_size)
    for action in actions[:60]:
        env.step(action)
    saved = env.state()
    expected = [env.step(action) for action in actions[60:]]
    other = native_env(species, busy_env, N, seed=3)
    other.set_state(saved)
    for action, transition in zip(actions[60:], expected, strict=True):
        _assert_same(other.step(action), transition)
    assert sum((t.terminated | t.truncated).sum() for t in expected) > 0, "no episode ended: nothing was tested"


def test_a_saved_state_does_not_follow_the_environment(species: Species, busy_env: EnvSection) -> None:
    env = native_env(species, busy_env, N, seed=3)
    env.reset()
    saved = env.state()
    position, step = saved["engine"]["physics"].copy(), saved["task"]["step"].copy()
    for action in _actions(3, env.action_size):
        env.step(action)
    np.testing.assert_array_equal(saved["engine"]["physics"], position)
    np.testing.assert_array_equal(saved["task"]["step"], step)


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_a_broken_world_ends_alone_and_begins_anew(species: Species, busy_env: EnvSection, value: float) -> None:
    broken, healthy = (native_env(species, busy_env, N, seed=1) for _ in range(2))
    broken.reset(), healthy.reset()
    others = np.array([0, 1, 3])
    for i, action in enumerate(_actions(30, broken.action_size)):
        if i == 10:
            state = broken.engine.state()
            state["physics"][2, 1 + broken.anatomy.nq : 4 + broken.anatomy.nq] = value
            broken.engine.set_state(state)
        a, b = broken.step(action), healthy.step(action)
        _assert_same(a, b, others)
        assert np.isfinite(a.observation).all()
        assert np.isfinite(a.reward).all()
        assert np.isfinite(a.next_observation).all()
        assert a.reasons["diverged"].tolist() == [False, False, i == 10, False]
        if i == 10:
            assert a.terminated[2]
            np.testing.assert_allclose(broken.engine.sensed().qpos[2, 2], broken.anatomy.home_qpos[2], rtol=1e-5)
        if i == 11:
            assert not a.terminated[2]
            assert not a.reasons["diverged"][2]


def test_an_action_that_is_no_number_ends_its_world_alone(species: Species, busy_env: EnvSection) -> None:
    broken, healthy = (native_env(species, busy_env, N, seed=1) for _ in range(2))
    broken.reset(), healthy.reset()
    for i, action in enumerate(_actions(5, broken.action_size)):
        bad = action.copy()
        bad[0, 1] = np.nan if i == 2 else bad[0, 1]
        a, b = broken.step(bad), healthy.step(action)
        _assert_same(a, b, np.array([1, 2, 3]))
        assert a.reasons["diverged"].tolist() == [i == 2, False, False, False]
        assert np.isfinite(a.reward).all()
        assert np.isfinite(a.next_observation).all()


def test_a_world_draws_the_same_episodes_in_any_company(species: Species, busy_env: EnvSection) -> None:
    few, many = native_env(species, busy_env, 4, seed=9), native_env(species, busy_env, 16, seed=9)
    np.testing.assert_array_equal(few.reset(), many.reset()[:4])
    ended = np.zeros(4, dtype=int)
    for action in _actions(150, few.action_size, 16):
        a, b = few.step(action[:4]), many.step(action)
        np.testing.assert_array_equal(a.observation, b.observation[:4])
        np.testing.assert_array_equal(a.reward, b.reward[:4])
        ended += a.terminated | a.truncated
    assert (ended >= 2).all()


def test_streams_seeds_worlds_and_episodes_all_differ(species: Species, busy_env: EnvSection) -> None:
    starts = []
    for stream in Stream:
        for seed in (0, 1):
            env = native_env(species, busy_env, 2, seed, stream)
            starts += [*env.reset(), *env.reset()]
    distances = np.abs(np.array(starts)[:, None] - np.array(starts)[None]).max(axis=2)
    assert (distances[~np.eye(len(starts), dtype=bool)] > 1e-3).all()


def test_restart_begins_the_episodes_of_a_seed_again(species: Species, busy_env: EnvSection) -> None:
    env, fresh = native_env(species, busy_env, N, seed=0), native_env(species, busy_env, N, seed=5)
    env.reset()
    for action in _actions(20, env.action_size):
        env.step(action)
    env.restart(5)
    np.testing.assert_array_equal(env.reset(), fresh.reset())
    action = _actions(1, env.action_size)[0]
    _assert_same(env.step(action), fresh.step(action))


def test_what_was_handed_out_is_never_overwritten(species: Species, busy_env: EnvSection) -> None:
    env = native_env(species, busy_env, N, seed=0)
    kept = [env.reset(), env.reset()]
    kept += [env.step(action).observation for action in _actions(70, env.action_size)]
    copies = [observation.copy() for observation in kept]
    env.reset()
    for observation, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(observation, copy)
    assert not np.array_equal(kept[0], kept[1])


def test_at_the_end_of_an_episode_both_observations_are_there(species: Species, busy_env: EnvSection) -> None:
    """Against the same worlds without automatic resets; some fall, some do not."""
    n = 16
    mild = busy_env.model_copy(update={"push_velocity_max": 0.15})
    auto, manual = native_env(species, mild, n, seed=2), native_env(species, mild, n, seed=2, auto_reset=False)
    auto.reset(), manual.reset()
    running, seen = np.ones(n, dtype=bool), set()
    for action in 0.1 * _actions(mild.max_episode_steps, auto.action_size, n):
        a, b = auto.step(action), manual.step(action)
        np.testing.assert_array_equal(a.next_observation[running], b.observation[running])
        ended = running & (a.terminated | a.truncated)
        np.testing.assert_array_equal(a.observation[running & ~ended], a.next_observation[running & ~ended])
        assert (np.abs(a.observation - a.next_observation)[ended].max(axis=1, initial=1.0) > 0.01).all()
        seen |= {name for name in ("terminated", "truncated") if (ended & getattr(a, name)).any()}
        running &= ~ended
    assert seen == {"terminated", "truncated"}
    assert (auto.task_state.step[a.truncated] == 0).all()
    assert (manual.task_state.step == mild.max_episode_steps).all()


def test_random_age_spreads_the_first_truncations(species: Species) -> None:
    calm = EnvSection(max_episode_steps=40, reset_noise_scale=0.0)
    together, spread = (native_env(species, calm, 16, seed=0, random_age=random_age) for random_age in (False, True))
    ends = []
    for env in (together, spread):
        env.reset()
        action = np.zeros((16, env.action_size), dtype=np.float32)
        ends.append([int(env.step(action).truncated.sum()) for _ in range(calm.max_episode_steps)])
    assert ends[0] == [0] * 39 + [16]
    assert sum(ends[1]) == 16
    assert max(ends[1]) <= 4


def test_worlds_left_out_keep_their_physics(species: Species, busy_env: EnvSection) -> None:
    env = native_env(species, busy_env, N, seed=0, auto_reset=False)
    env.reset()
    before, active = env.engine.sensed(), np.array([True, True, False, True])
    for action in _actions(10, env.action_size):
        env.step(action, active)
    after = env.engine.sensed()
    np.testing.assert_array_equal(after.qpos[~active], before.qpos[~active])
    np.testing.assert_array_equal(after.qvel[~active], before.qvel[~active])
    assert (np.abs(after.qpos - before.qpos)[active].max(axis=1) > 1e-3).all()


def test_reward_is_the_sum_of_its_terms(species: Species, busy_env: EnvSection) -> None:
    env = native_env(species, busy_env, N, seed=0)
    env.reset()
    transition = env.step(_actions(1, env.action_size)[0])
    np.testing.assert_allclose(transition.reward, sum(transition.terms.values()), rtol=1e-6)
    nothing = EnvSection(alive_bonus=0.0)
    bare = native_env(species, nothing, N, seed=0)
    bare.reset()
    assert bare.step(_actions(1, env.action_size)[0]).reward.tolist() == [0.0] * N


def test_an_episode_begins_with_the_distance_from_its_nearest_site_to_its_target(
    species: Species, busy_env: EnvSection
) -> None:
    """Also those that begin on their own, in the middle of others."""
    env = native_env(species, busy_env, N, seed=0)
    env.reset()

    def gaps() -> NDArray[np.float32]:
        away = env.engine.sensed().site_pos - env.task_state.target[:, None]
        return np.linalg.norm(away, axis=2).min(axis=1) / env.anatomy.hip_height

    np.testing.assert_allclose(env.task_state.gap, gaps(), rtol=1e-5)
    begun = 0
    for action in _actions(100, env.action_size):
        transition = env.step(action)
        fresh = transition.terminated | transition.truncated
        begun += fresh.sum()
        np.testing.assert_allclose(env.task_state.gap, gaps(), rtol=1e-5)
        assert (env.task_state.struck[fresh] == -1).all()
        assert (env.task_state.step == 0).tolist() == fresh.tolist()
    assert begun >= N


def test_an_episode_that_succeeds_ends_and_the_next_begins(species: Species, easy_prey: EnvSection) -> None:
    env = native_env(species, easy_prey, N, seed=0)
    env.reset()
    still = np.zeros((N, env.action_size), dtype=np.float32)
    bonus = []
    for i in range(24):  # a strike in the first step, held for ten
        transition = env.step(still)
        assert transition.succeeded.tolist() == transition.terminated.tolist() == [i in (10, 21)] * N
        assert not transition.truncated.any()
        assert not any(reason.any() for reason in transition.reasons.values())
        bonus.append(float(transition.reward[0]))
        assert (env.task_state.struck[0] == -1) == (i in (10, 21))
    assert bonus == [0.5 if i in (0, 10, 11, 21, 22) else 0.0 for i in range(24)]


def test_a_strike_in_the_last_moment_is_no_success(species: Species, easy_prey: EnvSection) -> None:
    short = easy_prey.model_copy(update={"max_episode_steps": 8})
    env = native_env(species, short, N, seed=0, auto_reset=False)
    env.reset()
    for _ in range(8):
        transition = env.step(np.zeros((N, env.action_size), dtype=np.float32))
    assert transition.truncated.all()
    assert not (transition.succeeded | transition.terminated).any()


def test_a_ramp_scales_the_rewards_of_the_task(species: Species, busy_env: EnvSection) -> None:
    whole, part = (native_env(species, busy_env, N, seed=0) for _ in range(2))
    part.ramp = 0.5
    whole.reset(), part.reset()
    for action in _actions(5, whole.action_size):
        a, b = whole.step(action), part.step(action)
        np.testing.assert_allclose(b.terms["gait"], 0.5 * a.terms["gait"], rtol=1e-6)
        np.testing.assert_array_equal(b.terms["alive"], a.terms["alive"])
        np.testing.assert_array_equal(b.observation, a.observation)
        np.testing.assert_allclose(b.reward, sum(b.terms.values()), rtol=1e-5)
