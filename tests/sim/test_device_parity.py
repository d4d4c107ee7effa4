"""The device engine and the native one are the same task: same resets, same steps, same rewards, same ends.

A change of a reward term, of the observation, of a reset or of a push on one side only fails here; the last tests
show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from support import native_frame
from support.compiled_engine import CompiledEngine, begin, continue_native

from mesozoic.config import EnvSection
from mesozoic.learn.policy import load_policy
from mesozoic.policies import shipped_policy
from mesozoic.sim import philox
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.device_env import DeviceEnv
from mesozoic.sim.mjx.engine import MjxEngine
from mesozoic.sim.mjx.model import Solver
from mesozoic.sim.native import NativeEngine
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species, load_stage, species_names
from mesozoic.species.simulator import mujoco
from mesozoic.task import mdp, push_force, servo_targets
from mesozoic.task.balance_terms import posture
from mesozoic.task.observe import observe
from mesozoic.task.reward import TERMS

N, SEED = 16, 3
WARM_UP, STEPS = 60, 20
STAGES = [(name, stage) for name in species_names() for stage in (1, 2, 3)]
RESET = 5e-4
"""Largest difference of a first observation: of the foot forces in body weights, as the solver stops earlier."""


class Setting(NamedTuple):
    """What is held against the native engine.

    `exact`: with the model's own solver options, and with native MuJoCo's frame of steep contacts, of which MJX has
    another: then nothing is left that differs.
    """

    impl: str
    exact: bool
    bits: int = 32


EXACT = Setting("jax", exact=True)
DOUBLE = Setting("jax", exact=True, bits=64)
TRAINED_ON = Setting("jax", exact=False)
WARP = Setting("warp", exact=False)
STEEP = 55.0
"""Degrees; beyond 60, MJX has another contact frame."""


@cache
def _engine(name: str, setting: Setting) -> CompiledEngine:
    with pytest.MonkeyPatch.context() as patch:
        if setting.exact:
            native_frame.install(patch)
        return CompiledEngine(MjxEngine(get_species(name), N, setting.impl, Solver() if setting.exact else None), N)


@contextmanager
def _device(name: str, env: EnvSection, setting: Setting) -> Iterator[DeviceEnv]:
    with jax.enable_x64(setting.bits == 64):
        engine = _engine(name, setting)
        with jax.disable_jit():
            yield DeviceEnv(engine, env)


def _native(name: str, env: EnvSection) -> BatchEnv:
    return native_env(get_species(name), env, N, SEED, Stream.TRAIN, random_age=True)


def _actions(name: str, stage: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The shipped policy with noise, so strong in every fourth world that it falls."""
    policy = load_policy(shipped_policy(name, stage))
    rng = np.random.default_rng(0)
    scale = np.where(np.arange(N) % 4 == 0, 0.6, 0.1)[:, None]

    def act(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        mean = policy.act(observation)
        return np.clip(mean + scale * rng.standard_normal(mean.shape), -1.0, 1.0).astype(np.float32)

    return act


def _on_steep_toe(native: BatchEnv) -> NDArray[np.bool_]:
    """Worlds that load a foot with a capsule steeper than `STEEP`, [n]."""
    engine = native.engine
    assert isinstance(engine, NativeEngine)
    model, steep = engine.model, np.zeros(engine.n, dtype=bool)
    turn = np.zeros(9)
    for foot, geoms in enumerate(engine.anatomy.foot_geoms):
        for geom in geoms:
            mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
            up = engine._xmat[:, model.geom_bodyid[geom]].reshape(-1, 3, 3)[:, 2] @ turn[2::3]
            steep |= (np.abs(up) > np.sin(np.radians(STEEP))) & (engine._foot_force[:, foot] > 0.0)
    return steep


def _differences(ours: Any, theirs: Any) -> dict[str, NDArray[np.float64]]:
    """Largest difference of each world, by what differs."""
    found = {"observation": np.abs(np.asarray(ours.next_observation) - theirs.next_observation).max(axis=1)}
    assert ours.terms.keys() == theirs.terms.keys()
    for term, values in theirs.terms.items():
        found[f"reward/{term}"] = np.abs(np.asarray(ours.terms[term]) - values)
    found["reward"] = np.abs(np.asarray(ours.reward) - theirs.reward)
    for name in ("terminated", "truncated", "succeeded"):
        found[name] = (np.asarray(getattr(ours, name)) != getattr(theirs, name)).astype(float)
    return found


def _before(name: str, stage: int) -> tuple[BatchEnv, Callable[[NDArray[np.float32]], NDArray[np.float32]]]:
    """Native worlds in the middle of episodes, and how they act."""
    native, act = _native(name, load_stage(name, stage).env), _actions(name, stage)
    native.reset()
    for _ in range(WARM_UP):
        native.step(act(native.observation))
    return native, act


def one_step(name: str, stage: int, setting: Setting, steps: int = STEPS) -> dict[str, NDArray[np.float64]]:
    """Differences after one step from the states of native worlds, [m], of those whose episode goes on.

    If the setting is not exact, they are those that stand on no steep toe before and after it.
    """
    native, act = _before(name, stage)
    assert isinstance(native.engine, NativeEngine)
    rows: list[dict[str, NDArray[np.float64]]] = []
    key, ramp = jnp.asarray(philox.key_of(SEED, Stream.TRAIN)), jnp.float32(1.0)
    with _device(name, native.env, setting) as device:
        for _ in range(steps):
            worlds = continue_native(native, device, SEED)
            level = ~_on_steep_toe(native)
            action = act(native.observation)
            theirs = native.step(action)
            worlds, ours = device.step(key, worlds, jnp.asarray(action), ramp)
            row = _differences(ours, theirs)
            for what in ("qpos", "qvel"):
                here, there = getattr(worlds.now.physics, what), getattr(native.engine, f"_{what}")
                row[what] = np.abs(np.asarray(here) - there).max(axis=1)
            counts = ~(theirs.terminated | theirs.truncated) & (setting.exact | (level & ~_on_steep_toe(native)))
            rows.append({what: values[counts] for what, values in row.items()})
    return {what: np.concatenate([row[what] for row in rows]) for what in rows[0]}


def compare(
    name: str,
    stage: int,
    setting: Setting,
    most: float,
    change: Callable[[pytest.MonkeyPatch], None] = lambda patch: None,
) -> None:
    """Continue native worlds on both engines with the same actions: all agree within `most`, half within a tenth.

    `change` of the task holds on the device only.
    """
    native, act = _before(name, stage)
    worst: dict[str, NDArray[np.float64]] = {}
    with _device(name, native.env, setting) as device:
        worlds = continue_native(native, device, SEED)
        key, ramp = jnp.asarray(philox.key_of(SEED, Stream.TRAIN)), jnp.float32(1.0)
        for _ in range(STEPS):
            action = act(native.observation)
            theirs = native.step(action)
            with pytest.MonkeyPatch.context() as patch:
                change(patch)
                worlds, ours = device.step(key, worlds, jnp.asarray(action), ramp)
            for what, values in _differences(ours, theirs).items():
                worst[what] = np.maximum(worst.get(what, 0.0), values)
    for what, values in worst.items():
        assert values.max() <= most, f"{what}: the worlds differ by {np.sort(values)[::-1]}"
        assert np.median(values) <= most / 10, f"{what}: the median world differs by {np.median(values)}"


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_episodes_begin_alike(name: str, stage: int) -> None:
    env = load_stage(name, stage).env
    native = _native(name, env)
    with _device(name, env, EXACT) as device:
        for episode in (0, 1):
            start = begin(device, SEED, N, episode)
            native._begin(np.ones(N, dtype=bool))
            np.testing.assert_allclose(start.observation, native.observation, atol=RESET, rtol=0)
            for field, values in native.task_state._asdict().items():
                np.testing.assert_allclose(
                    getattr(start.task_state, field), values, atol=1e-5, rtol=1e-6, err_msg=field
                )
            for field in ("step", "phase", "struck", "push_start"):
                np.testing.assert_array_equal(getattr(start.task_state, field), getattr(native.task_state, field))


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_twenty_steps_are_alike(name: str, stage: int) -> None:
    compare(name, stage, EXACT, 5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_twenty_steps_are_alike_in_double_precision(name: str, stage: int) -> None:
    compare(name, stage, DOUBLE, 1e-4)


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_one_step_moves_every_world_alike(name: str, stage: int) -> None:
    """Metres, radians, and the same per second; single precision."""
    differ = one_step(name, stage, EXACT, steps=5)
    assert differ["qpos"].max() < 2e-4 and np.median(differ["qpos"]) < 1e-6
    assert differ["qvel"].max() < 2e-2 and np.median(differ["qvel"]) < 3e-5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_one_step_is_the_same_in_double_precision(name: str, stage: int) -> None:
    """What is left are servo targets and pushes, which two libraries round to single precision."""
    differ = one_step(name, stage, DOUBLE)
    assert differ["qpos"].max() < 1e-6 and np.median(differ["qpos"]) < 1e-14
    assert differ["qvel"].max() < 3e-5 and np.median(differ["qvel"]) < 1e-12


def _nearly_alike(differ: dict[str, NDArray[np.float64]]) -> None:
    """In rare steps the solver stops elsewhere, or a toe is steep in between."""
    assert len(differ["qvel"]) > 100
    for what, values in differ.items():
        assert np.quantile(values, 0.95) < 2e-3 and np.median(values) < 3e-5, f"{what}: {np.sort(values)[::-1][:20]}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_one_step_is_alike_under_the_options_of_training(name: str, stage: int) -> None:
    _nearly_alike(one_step(name, stage, TRAINED_ON))


@pytest.mark.warp
@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_one_step_is_alike_on_warp(name: str, stage: int) -> None:
    _nearly_alike(one_step(name, stage, WARP))


CHANGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "reward term": lambda patch: patch.setitem(TERMS, "posture", lambda xp, seen: 1.01 * posture(xp, seen)),
    "observation": lambda patch: patch.setattr(mdp, "observe", lambda *seen: observe(*seen) + 0.003),
    "push": lambda patch: patch.setattr(mdp, "push_force", lambda *state: 1.05 * push_force(*state)),
    "action": lambda patch: patch.setattr(mdp, "servo_targets", lambda xp, a, act: servo_targets(xp, a, 1.01 * act)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_on_one_side_only_is_noticed(change: str) -> None:
    with pytest.raises(AssertionError, match=r"observation|reward"):
        compare("velociraptor", 1, EXACT, 5e-3, change=CHANGES[change])


def test_another_reset_on_one_side_only_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = philox.episode_uniforms
    monkeypatch.setattr(philox, "episode_uniforms", lambda key, *rest: drawn(key + 1, *rest))
    with pytest.raises(AssertionError):
        test_episodes_begin_alike("velociraptor", 1)
