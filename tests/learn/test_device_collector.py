"""Rollouts on a device: those of the host, repeatable to the bit, and nothing of them leaves it unasked."""

from __future__ import annotations

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.compiled_engine import QUICK_COMPILE

from mesozoic import task
from mesozoic.config import StageConfig, parse_overrides
from mesozoic.learn.device_collector import ScanCollector
from mesozoic.learn.host_collector import HostCollector
from mesozoic.learn.ppo.learner import PPO
from mesozoic.learn.ppo.networks import ActorCritic, GaussianActor
from mesozoic.learn.rollout import Rollout, Stats
from mesozoic.sim.device_env import DeviceEnv
from mesozoic.sim.mjx.engine import MjxEngine
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, load_stage
from mesozoic.species.anatomy import Anatomy

N, T, SEED = 16, 8, 5
EPISODE = 12
"""Control steps: every world begins a new episode in every second rollout, and spares are used up and made anew."""
OVERRIDES = (
    f"stage.n_envs={N}",
    f"env.max_episode_steps={EPISODE}",
    "env.push_interval=0.2",
    "env.push_velocity_max=0.4",
    "env.friction_range=[0.6, 1.2]",
    f"ppo.n_steps={T}",
    "ppo.batch_size=32",
    "ppo.net_arch=[16]",
    "curriculum.min_avg_episode_length=0",
)
Collected = tuple[Rollout, Stats]


@pytest.fixture(scope="session")
def stage() -> StageConfig:
    return load_stage("velociraptor", 1, parse_overrides(OVERRIDES))


@pytest.fixture(scope="session")
def compiled(species: Species, stage: StageConfig) -> ScanCollector:
    """Compiled once for all tests; its state is put back by each."""
    env = DeviceEnv(MjxEngine(species, N, "jax"), stage.env)
    collector = ScanCollector(env, N, SEED, QUICK_COMPILE)
    collector.beginning = collector.state()  # type: ignore[attr-defined]
    return collector


@pytest.fixture
def collector(compiled: ScanCollector) -> ScanCollector:
    compiled.set_state(copy.deepcopy(compiled.beginning))  # type: ignore[attr-defined]
    return compiled


@pytest.fixture(scope="session")
def actor(anatomy: Anatomy) -> GaussianActor:
    size = task.observation_size(anatomy)
    params = ActorCritic((16,), size, anatomy.nu).init(jax.random.key(0), -1.0)
    return GaussianActor(params["actor"], params["log_std"], jnp.zeros(size), jnp.ones(size))


def _noise(rollout: int, actions: int) -> jax.Array:
    return jax.random.normal(jax.random.key(rollout), (T, N, actions))


def _collect(collector: ScanCollector | HostCollector, actor: GaussianActor, rollouts: int) -> list[Collected]:
    return [collector.collect(actor, _noise(i, collector.anatomy.nu), np.float32(1.0)) for i in range(rollouts)]


def _bits(collected: list[Collected]) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(collected)]


def test_rollouts_are_those_of_the_host(
    collector: ScanCollector, actor: GaussianActor, species: Species, stage: StageConfig
) -> None:
    """Over four rollouts every world begins its third episode, from a spare that was made anew."""
    env = native_env(species, stage.env, N, SEED, Stream.TRAIN, random_age=True)
    env.reset()
    ours, theirs = (_collect(one, actor, 4) for one in (collector, HostCollector(env)))
    assert int(collector._carry.worlds.episode.min()) >= 2
    for (mine, my_stats), (other, other_stats) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.truncated, other.truncated)
        np.testing.assert_array_equal(mine.terminated, other.terminated)
        for name, most in (("observation", 2e-2), ("next_observation", 2e-2), ("action", 2e-2), ("reward", 2e-2)):
            apart = np.abs(np.asarray(getattr(mine, name)) - getattr(other, name))
            assert np.median(apart) < most / 100, name
            assert (apart < most).mean() > 0.95, name
        assert my_stats.steps == other_stats.steps == N * T
        seen = np.asarray(mine.observation, dtype=np.float64).reshape(N * T, -1)
        np.testing.assert_allclose(my_stats.obs_mean, seen.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(my_stats.obs_var, seen.var(axis=0), atol=1e-5, rtol=1e-4)
        assert {k: int(v) for k, v in my_stats.ended.items() if k not in ("reward",)} == {
            k: int(v) for k, v in other_stats.ended.items() if k not in ("reward",)
        }
        assert my_stats.term_sums.keys() == other_stats.term_sums.keys()
        earned = sum(float(total) for total in my_stats.term_sums.values())
        np.testing.assert_allclose(earned, np.asarray(mine.reward, dtype=np.float64).sum(), rtol=1e-4)


def test_the_same_twice_and_after_a_restore(collector: ScanCollector, actor: GaussianActor) -> None:
    first = _bits(_collect(collector, actor, 3))
    collector.set_state(copy.deepcopy(collector.beginning))  # type: ignore[attr-defined]
    _collect(collector, actor, 1)
    halfway = copy.deepcopy(collector.state())
    _collect(collector, actor, 2)
    collector.set_state(halfway)
    rest = [collector.collect(actor, _noise(i, collector.anatomy.nu), np.float32(1.0)) for i in (1, 2)]
    per_rollout = len(first) // 3
    for one, other in zip(first[per_rollout:], _bits(rest), strict=True):
        np.testing.assert_array_equal(one, other)


def test_episodes_are_not_repeated(collector: ScanCollector, actor: GaussianActor) -> None:
    firsts = []
    for rollout, _ in _collect(collector, actor, 4):
        done = np.asarray(rollout.terminated | rollout.truncated)[:-1]
        firsts.append(np.asarray(rollout.observation)[1:][done])
    found = np.concatenate(firsts)
    assert len(found) > 2 * N
    assert len(np.unique(found, axis=0)) == len(found)


def test_nothing_leaves_the_device(collector: ScanCollector, actor: GaussianActor) -> None:
    noise, ramp = _noise(0, collector.anatomy.nu), np.float32(1.0)
    collector.collect(actor, noise, ramp)
    with jax.transfer_guard_device_to_host("disallow"):
        collector.collect(actor, noise, ramp)


def test_other_shapes_are_an_error_not_a_second_program(collector: ScanCollector, actor: GaussianActor) -> None:
    noise = _noise(0, collector.anatomy.nu)
    collector.collect(actor, noise, np.float32(1.0))
    with pytest.raises(TypeError):
        collector.collect(actor, noise[: T - 1], np.float32(1.0))


def test_a_broken_world_ends_and_touches_no_other(collector: ScanCollector, actor: GaussianActor) -> None:
    sound = _collect(collector, actor, 1)[0][0]
    collector.set_state(copy.deepcopy(collector.beginning))  # type: ignore[attr-defined]
    worlds = collector._carry.worlds
    physics = worlds.now.physics
    physics = physics._replace(qvel=physics.qvel.at[3].set(jnp.nan))
    collector._carry = collector._carry._replace(worlds=worlds._replace(now=worlds.now._replace(physics=physics)))
    rollout, stats = _collect(collector, actor, 1)[0]
    assert bool(rollout.terminated[0, 3]) and int(stats.ended["end/diverged"]) == 1
    for name, values in rollout._asdict().items():
        assert np.isfinite(np.asarray(values, dtype=float)).all(), name
        others = np.arange(N) != 3
        np.testing.assert_array_equal(
            np.asarray(values)[:, others], np.asarray(getattr(sound, name))[:, others], err_msg=name
        )


def test_the_learner_updates_on_it(collector: ScanCollector, stage: StageConfig) -> None:
    learner = PPO(collector, stage, "velociraptor", SEED)
    metrics = learner.learn()
    assert learner.step == N * T
    assert np.isfinite(list(metrics.values())).all()
    assert metrics["train/gradient_steps"] > 0
