"""The batched environment as SB3 sees it: the same worlds, in SB3's conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecCheckNan, VecMonitor
from support.learners import learn_until

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.learn.normaliser import CLIP
from mesozoic.learn.sb3.normalisation import Normalisation
from mesozoic.learn.sb3.vec_env import BatchVecEnv
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species
from mesozoic.task import Transition

Make = Callable[..., tuple[Any, Any]]


@pytest.fixture
def worlds(config: Callable[..., StageConfig]) -> Callable[[], BatchEnv]:
    """The same eight walking worlds, as often as wanted."""

    def build() -> BatchEnv:
        stage = config(stage=2)
        env = native_env(get_species("velociraptor"), stage.env, stage.stage.n_envs, 3, Stream.TRAIN, random_age=True)
        env.reset()
        return env

    return build


def commands(env: BatchEnv) -> np.ndarray:
    """Which entries of an observation are commands, that pass as they are."""
    blocks = task.observation_layout(env.anatomy)
    return ~np.repeat([block.standardise for block in blocks], [block.size for block in blocks])


def test_gives_the_transitions_of_the_batched_environment(worlds: Callable[[], BatchEnv]) -> None:
    heard: list[Transition] = []
    env, plain = BatchVecEnv(worlds(), heard.append), worlds()
    rng = np.random.default_rng(0)
    first = env.reset()
    assert first.tobytes() == plain.observation.tobytes(), "the first reset gives where the worlds stand"
    kinds = {"fell": 0, "time": 0}
    for _ in range(45):
        # some worlds hold still until the time is up, some fall over
        size = np.linspace(0.1, 1.0, 8)[:, None]
        action = (size * rng.choice([-1.0, 1.0], (8, plain.action_size))).astype(np.float32)
        observation, reward, done, infos = env.step(action)
        expected = plain.step(action)
        assert observation.tobytes() == expected.observation.tobytes() and observation.dtype == np.float32
        assert reward.tobytes() == expected.reward.tobytes() and reward.dtype == np.float32
        assert (done == (expected.terminated | expected.truncated)).all() and done.dtype == bool
        for world in range(8):
            if not done[world]:
                assert infos[world] == {}
                continue
            last = infos[world]["terminal_observation"]
            assert last.tobytes() == expected.next_observation[world].tobytes()
            assert last.tobytes() != observation[world].tobytes(), "the next episode has begun"
            assert infos[world]["TimeLimit.truncated"] is bool(expected.truncated[world])
            kinds["time" if expected.truncated[world] else "fell"] += 1
    assert min(kinds.values()) > 0, kinds
    assert len(heard) == 45 and heard[-1].observation.tobytes() == observation.tobytes()


def test_what_it_returned_does_not_change(worlds: Callable[[], BatchEnv]) -> None:
    env = BatchVecEnv(worlds())
    observation = env.reset()
    kept = observation.copy()
    after, reward, _, _ = env.step(np.zeros((8, env.action_space.shape[0])))
    after[:], reward[:] = 7.0, 7.0
    env.step(np.zeros((8, env.action_space.shape[0])))
    assert (observation == kept).all()
    assert not (env.env.observation == 7.0).any()


def test_later_resets_begin_new_episodes(worlds: Callable[[], BatchEnv]) -> None:
    env = BatchVecEnv(worlds())
    first, second = env.reset(), env.reset()
    assert first.tobytes() != second.tobytes()


def test_spaces_are_those_of_the_gymnasium_environment(worlds: Callable[[], BatchEnv]) -> None:
    import gymnasium

    env, single = BatchVecEnv(worlds()), gymnasium.make("mesozoic/Velociraptor-Locomotion-v0")
    assert env.observation_space == single.observation_space and env.action_space == single.action_space


def test_works_with_the_wrappers_and_the_evaluation_of_sb3(make: Make, worlds: Callable[[], BatchEnv]) -> None:
    env = VecMonitor(VecCheckNan(BatchVecEnv(worlds()), raise_exception=True))
    assert env.get_attr("render_mode") == [None] * 8
    assert env.env_is_wrapped(Monitor, indices=[0, 2]) == [False, False]
    env.set_attr("remark", 5)
    assert env.get_attr("remark", indices=3) == [5] and not env.has_attr("nothing")
    _, learner = make("ppo", stage=2)
    rewards, lengths = evaluate_policy(
        learner._model, env, n_eval_episodes=10, return_episode_rewards=True, deterministic=True
    )
    assert len(rewards) == 10 and all(1 <= length <= 20 for length in lengths)


def test_normalises_as_the_portable_policy_and_leaves_commands_alone(worlds: Callable[[], BatchEnv]) -> None:
    env = worlds()
    asked = commands(env)
    assert 0 < asked.sum() < len(asked)
    normalisation = Normalisation(BatchVecEnv(env), ~asked, gamma=0.99)
    rng = np.random.default_rng(1)
    raw = (3.0 + 2.0 * rng.normal(size=(500, env.observation_size))).astype(np.float32)
    assert (normalisation.venv.normalize_obs(raw) == np.clip(raw, -CLIP, CLIP)).all(), "nothing was seen yet"
    raw[:, np.flatnonzero(~asked)[0]] = 0.25  # never changes: its deviation is at the floor
    normalisation.update(raw)
    normalisation.apply()
    mean, std = normalisation.shift_and_scale()
    seen = normalisation.venv.normalize_obs(raw)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, np.clip((raw - mean) / std, -CLIP, CLIP), atol=1e-5)
    np.testing.assert_allclose(seen[:, ~asked].mean(axis=0), 0.0, atol=1e-4)
    assert (seen[:, asked] == np.clip(raw[:, asked], -CLIP, CLIP)).all()


def test_one_rollout_has_one_scale(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics change between rollouts only, and the first observation of a rollout is in its scale as well."""
    _, learner = make("ppo")
    learn_until(learner, 1)
    mean, std = learner._normalisation.shift_and_scale()
    raw: list[np.ndarray] = [learner._env.observation.copy()]
    step = BatchEnv.step

    def watch(self: BatchEnv, *arguments: Any) -> Transition:
        result = step(self, *arguments)
        raw.append(result.observation.copy())
        return result

    monkeypatch.setattr(BatchEnv, "step", watch)
    learn_until(learner, 65)
    fed = learner._model.rollout_buffer.observations.reshape(8, 8, -1).swapaxes(0, 1)  # SB3 flattens it by world
    expected = np.clip((np.array(raw[:8]) - mean) / std, -CLIP, CLIP)
    np.testing.assert_allclose(fed, expected, atol=1e-5)


def test_ended_by_time_is_worth_what_would_have_come(make: Make) -> None:
    """SAC's buffer keeps the last observation of an episode, and whether only the time was up."""
    _, learner = make("sac", "env.max_episode_steps=6", "env.fall_tilt=120", "env.fall_height=0.1")
    learn_until(learner, 128)
    state = learner.state()["buffer"]
    done, by_time = state["dones"] == 1.0, state["timeouts"] == 1.0
    assert by_time.any() and (done[by_time]).all()
    follows = np.roll(state["observations"], -1, axis=0)[:-1] == state["next_observations"][:-1]
    continued = follows.all(axis=2)
    assert continued[~done[:-1]].all(), "the next observation is that of the row after"
    assert not continued[done[:-1]].any(), "which begins another episode"


def test_the_statistics_are_those_of_the_observations(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    update = Normalisation.update
    monkeypatch.setattr(Normalisation, "update", lambda self, batch: (seen.append(batch), update(self, batch))[1])
    _, learner = make("sac")
    learn_until(learner, 96)
    assert [len(batch) for batch in seen] == [32, 32, 32]
    everything = np.concatenate(seen)
    np.testing.assert_allclose(learner._normalisation.moments.mean, everything.mean(axis=0), atol=1e-5)
