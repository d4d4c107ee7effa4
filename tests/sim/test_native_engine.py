"""The native engine against MuJoCo itself, and how its worlds keep out of each other's way."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.sim.native import NativeEngine
from mesozoic.species import Species
from mesozoic.species.anatomy import Anatomy

N = 3
STEPS = 50


def _physics(model: mujoco.MjModel, data: mujoco.MjData) -> NDArray[np.float64]:
    state = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    return state


def _start(anatomy: Anatomy, seed: int = 0, n: int = N) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    env = EnvSection()
    samples = np.random.default_rng(seed).random((n, task.uniforms_per_reset(anatomy, env)), dtype=np.float32)
    _, qpos, qvel = task.reset(np, anatomy, env, samples)
    return qpos, qvel


def _controls(anatomy: Anatomy, seed: int = 0, n: int = N) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Servo targets [STEPS, n, nu] and torso forces [STEPS, n, 3]."""
    rng = np.random.default_rng(seed)
    action = rng.uniform(-0.7, 0.7, (STEPS, n, anatomy.nu)).astype(np.float32)
    push = rng.uniform(-30, 30, (STEPS, n, 3)).astype(np.float32)
    return np.stack([task.servo_targets(np, anatomy, a) for a in action]), push


@pytest.fixture
def engine(species: Species, anatomy: Anatomy) -> NativeEngine:
    engine = NativeEngine(species, N, threads=2)
    engine.reset(np.ones(N, dtype=bool), *_start(anatomy), {})
    return engine


def test_every_world_steps_bit_for_bit_like_mujoco(species: Species, engine: NativeEngine, anatomy: Anatomy) -> None:
    """Like the whole model, while the engine simulates one without what only looks."""
    model = species.load_model()
    assert model.ngeom > engine.model.ngeom
    plain = []
    for qpos, qvel in zip(*_start(anatomy), strict=True):
        data = mujoco.MjData(model)
        data.qpos, data.qvel, data.ctrl = qpos, qvel, anatomy.home_ctrl
        mujoco.mj_forward(model, data)
        plain.append(data)
    for ctrl, push in zip(*_controls(anatomy), strict=True):
        engine.step(ctrl, push)
        loads = np.zeros((N, len(anatomy.foot_sensors)))
        for i, data in enumerate(plain):
            data.ctrl, data.xfrc_applied[anatomy.torso_id, :3] = ctrl[i], push[i]
            for _ in range(anatomy.substeps):
                mujoco.mj_step(model, data)
                loads[i] += [data.sensordata[list(s)].sum() for s in anatomy.foot_sensors]
        np.testing.assert_array_equal(engine.state()["physics"], [_physics(model, data) for data in plain])
        sensed = engine.sensed()
        np.testing.assert_array_equal(sensed.qpos, np.float32([data.qpos for data in plain]))
        np.testing.assert_array_equal(sensed.actuator_force, np.float32([data.actuator_force for data in plain]))
        np.testing.assert_allclose(sensed.foot_force, loads / anatomy.substeps, rtol=1e-6, err_msg="not the mean")
        sites = list(anatomy.strike_site_ids)
        np.testing.assert_array_equal(sensed.site_pos, np.float32([data.site_xpos[sites] for data in plain]))
        feet = [[data.geom_xpos[list(geoms)].mean(axis=0) for geoms in anatomy.foot_geoms] for data in plain]
        np.testing.assert_allclose(sensed.foot_pos, feet, atol=1e-6)
        for part in sensed:
            assert part.dtype in (np.float32, np.bool_)


def test_feet_at_rest_carry_the_weight(species: Species, anatomy: Anatomy) -> None:
    engine = NativeEngine(species, 1, threads=1)
    everyone = np.ones(1, dtype=bool)
    engine.reset(everyone, anatomy.home_qpos[None], np.zeros((1, anatomy.nv), dtype=np.float32), {})
    for _ in range(100):
        engine.step(anatomy.home_ctrl[None], np.zeros((1, 3), dtype=np.float32))
    sensed = engine.sensed()
    assert sensed.foot_force.sum() == pytest.approx(anatomy.weight, rel=0.02)
    assert not sensed.diverged.any()
    np.testing.assert_allclose(sensed.foot_pos[0, :, 2], anatomy.foot_height, atol=0.02 * anatomy.hip_height)


def test_feet_and_strike_sites_are_where_a_reset_puts_them(species: Species, anatomy: Anatomy) -> None:
    """At once, without a step: at home the feet are at their height, one on each side of the animal."""
    engine = NativeEngine(species, 2, threads=1)
    start = np.tile(anatomy.home_qpos, (2, 1))
    start[1, :2] = 3.0, -2.0
    engine.reset(np.ones(2, dtype=bool), start, np.zeros((2, anatomy.nv), dtype=np.float32), {})
    sensed = engine.sensed()
    np.testing.assert_allclose(sensed.foot_pos[:, :, 2], np.tile(anatomy.foot_height, (2, 1)), atol=1e-6)
    assert [name for name, y in zip(anatomy.foot_names, sensed.foot_pos[0, :, 1], strict=True) if y > 0] == ["left"]
    for part in (sensed.foot_pos, sensed.site_pos):
        np.testing.assert_allclose(part[1] - part[0], np.broadcast_to([3.0, -2.0, 0.0], part[0].shape), atol=1e-5)


def test_a_force_on_the_torso_moves_the_animal_that_way(species: Species, anatomy: Anatomy) -> None:
    engine = NativeEngine(species, 2, threads=1)
    engine.reset(np.ones(2, dtype=bool), np.tile(anatomy.home_qpos, (2, 1)), np.zeros((2, anatomy.nv), np.float32), {})
    push = np.array([[0, 0, 0], [0, 0.5 * anatomy.weight, 0]], dtype=np.float32)
    for _ in range(5):
        engine.step(np.tile(anatomy.home_ctrl, (2, 1)), push)
    speed = engine.sensed().qvel[:, 1]
    assert abs(speed[0]) < 0.01
    assert speed[1] > 0.1


def test_a_masked_reset_leaves_other_worlds_as_they_were(engine: NativeEngine, anatomy: Anatomy) -> None:
    for ctrl, push in zip(*_controls(anatomy), strict=True):
        engine.step(ctrl, push)
    before, seen = engine.state(), engine.sensed()
    mask = np.array([False, True, False])
    qpos, qvel = (part[:1] for part in _start(anatomy, seed=5))
    engine.reset(mask, qpos, qvel, {})
    after, now = engine.state(), engine.sensed()
    for name in before:
        np.testing.assert_array_equal(after[name][~mask], before[name][~mask], err_msg=name)
    for name in task.Sensed._fields:
        np.testing.assert_array_equal(getattr(now, name)[~mask], getattr(seen, name)[~mask], err_msg=name)
    np.testing.assert_array_equal(now.qpos[mask], qpos)
    np.testing.assert_array_equal(now.qvel[mask], qvel)


def test_a_reset_forgets_everything_that_came_before(species: Species, anatomy: Anatomy, engine: NativeEngine) -> None:
    """Also what `set_state` wrote just before it."""
    for ctrl, push in zip(*_controls(anatomy), strict=True):
        engine.step(ctrl, push)
    state = engine.state()
    state["physics"][1] = np.nan
    used, new = NativeEngine(species, N, threads=2), NativeEngine(species, N, threads=2)
    used.set_state(state)
    for either in (used, new):
        either.reset(np.ones(N, dtype=bool), *_start(anatomy, seed=3), {})
        for ctrl, push in zip(*(part[:5] for part in _controls(anatomy, seed=4)), strict=True):
            either.step(ctrl, push)
    np.testing.assert_array_equal(used.state()["physics"], new.state()["physics"])


def test_worlds_that_are_not_active_stand_still(species: Species, engine: NativeEngine, anatomy: Anatomy) -> None:
    everything, active = engine.sensed(), np.array([True, False, True])
    reference = NativeEngine(species, N, threads=1)
    reference.set_state(engine.state())
    for ctrl, push in zip(*_controls(anatomy), strict=True):
        engine.step(ctrl, push, active)
        reference.step(ctrl, push)
    sensed = engine.sensed()
    np.testing.assert_array_equal(sensed.qpos[1], everything.qpos[1])
    np.testing.assert_array_equal(sensed.qvel[1], everything.qvel[1])
    np.testing.assert_array_equal(sensed.qpos[active], reference.sensed().qpos[active])
    assert not np.array_equal(sensed.qpos[1], reference.sensed().qpos[1])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_world_that_breaks_down_says_so_and_harms_no_other(
    species: Species, engine: NativeEngine, anatomy: Anatomy, value: float
) -> None:
    healthy = NativeEngine(species, N, threads=2)
    healthy.set_state(engine.state())
    state = engine.state()
    state["physics"][1, 1 + anatomy.nq] = value  # time, qpos, then the first of qvel
    engine.set_state(state)
    for ctrl, push in zip(*(part[:3] for part in _controls(anatomy)), strict=True):
        engine.step(ctrl, push)
        healthy.step(ctrl, push)
    assert engine.sensed().diverged.tolist() == [False, True, False]
    others = [0, 2]
    np.testing.assert_array_equal(engine.state()["physics"][others], healthy.state()["physics"][others])
    engine.reset(np.array([False, True, False]), *(part[:1] for part in _start(anatomy)), {})
    assert not engine.sensed().diverged.any()
