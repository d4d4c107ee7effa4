"""Robustness: the changes reach the physics and nothing else, and the drop is what it says."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest

from mesozoic import task
from mesozoic.cli.app import main
from mesozoic.config import EnvSection, StageConfig, parse_overrides
from mesozoic.evaluation.actors import statue
from mesozoic.evaluation.episodes import run_episodes
from mesozoic.evaluation.robustness import NOMINAL, VARIATIONS, Variation, measure_robustness, scale_mass, set_friction
from mesozoic.learn.policy import Policy
from mesozoic.sim.actor import Actor
from mesozoic.sim.native import ModelChange, NativeEngine
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, load_stage
from mesozoic.species.anatomy import Anatomy

SHORT = ["env.max_episode_steps=70", "curriculum.min_avg_episode_length=0"]
SHAKY = [
    *(*SHORT, "env.reset_noise_scale=0.1", "env.push_interval=0.5"),
    *("env.push_velocity_min=0.0", "env.push_velocity_max=0.3"),
]
"""With so much noise and pushing that some statues fall early and some do not."""
EPISODES = 16


@pytest.fixture(scope="module")
def still(anatomy: Anatomy) -> Actor:
    return statue(anatomy.nu)


@pytest.fixture(scope="module")
def config() -> StageConfig:
    return load_stage("velociraptor", 1, parse_overrides(SHAKY))


def standing(species: Species, anatomy: Anatomy, change: ModelChange | None) -> NativeEngine:
    """One animal in its home pose, at rest."""
    engine = NativeEngine(species, 1, threads=1, change=change)
    engine.reset(np.ones(1, dtype=bool), anatomy.home_qpos[None], np.zeros((1, anatomy.nv), np.float32), {})
    return engine


def slide(species: Species, anatomy: Anatomy, change: ModelChange | None) -> float:
    """Metres that the feet slide in 0.3 s of an animal thrown sideways at 1 m/s."""
    engine = NativeEngine(species, 1, threads=1, change=change)
    velocity = np.zeros((1, anatomy.nv), np.float32)
    velocity[0, 1] = 1.0
    engine.reset(np.ones(1, dtype=bool), anatomy.home_qpos[None], velocity, {})
    start = engine.sensed().foot_pos[0, :, 1].mean()
    for _ in range(15):
        engine.step(anatomy.home_ctrl[None], np.zeros((1, 3), np.float32))
    return float(engine.sensed().foot_pos[0, :, 1].mean() - start)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_the_floor_carries_the_changed_mass(species: Species, anatomy: Anatomy, factor: float) -> None:
    engine = standing(species, anatomy, scale_mass(factor))
    for _ in range(100):
        engine.step(anatomy.home_ctrl[None], np.zeros((1, 3), np.float32))
    assert engine.sensed().foot_force.sum() == pytest.approx(factor * anatomy.weight, rel=0.01)


def test_constants_of_the_model_follow_its_mass(species: Species) -> None:
    plain, heavy = species.load_model(), species.load_model()
    scale_mass(1.1)(heavy)
    for name, power in (("body_mass", 1), ("body_inertia", 1), ("body_subtreemass", 1), ("body_invweight0", -1)):
        expected = getattr(plain, name) * 1.1**power
        # The armature of the joints, which is no part of a body, stays: inverse weights follow only about.
        np.testing.assert_allclose(getattr(heavy, name), expected, rtol=1e-9 if power == 1 else 0.1, err_msg=name)
    assert (heavy.body_invweight0[1:] < plain.body_invweight0[1:]).all()


def test_friction_of_floor_and_feet_alone(species: Species, anatomy: Anatomy) -> None:
    plain, slippery = species.load_model(), species.load_model()
    set_friction(0.6)(slippery)
    touching = {plain.geom("floor").id, *(geom for foot in anatomy.foot_geoms for geom in foot)}
    changed = np.flatnonzero(slippery.geom_friction[:, 0] != plain.geom_friction[:, 0])
    assert set(changed.tolist()) == touching
    assert (slippery.geom_friction[changed, 0] == 0.6).all()
    np.testing.assert_array_equal(slippery.geom_friction[:, 1:], plain.geom_friction[:, 1:])


def test_feet_slide_further_on_a_slippery_floor(species: Species, anatomy: Anatomy) -> None:
    far, near = (slide(species, anatomy, set_friction(coefficient)) for coefficient in (0.1, 1.2))
    assert far > near + 0.05
    assert slide(species, anatomy, set_friction(1.0)) == slide(species, anatomy, None)


@pytest.mark.parametrize("heading", [0.0, 0.25 * math.pi, 1.5 * math.pi, -0.5 * math.pi])
def test_every_episode_begins_with_the_heading(species: Species, busy_env: EnvSection, heading: float) -> None:
    fixed = native_env(species, busy_env, 3, seed=4, heading=heading, auto_reset=False)
    free = native_env(species, busy_env, 3, seed=4, auto_reset=False)
    for _ in range(2):
        fixed.reset()
        free.reset()
        mine, other = fixed.engine.sensed().qpos, free.engine.sensed().qpos
        yaw = 2.0 * np.arctan2(mine[:, 6], mine[:, 3])
        np.testing.assert_allclose(np.angle(np.exp(1j * (yaw - heading))), 0.0, atol=1e-5)
        assert len(set(other[:, 6].tolist())) == 3, "headings are random otherwise"
        np.testing.assert_array_equal(mine[:, 7:], other[:, 7:], err_msg="all else is the same episode")
        np.testing.assert_array_equal(fixed.task_state.push_velocity, free.task_state.push_velocity)


def test_the_task_knows_the_unchanged_animal(species: Species, busy_env: EnvSection) -> None:
    env, plain = (native_env(species, busy_env, 2, seed=0, change=change) for change in (scale_mass(1.1), None))
    for field in fields(plain.anatomy):
        mine, theirs = getattr(env.anatomy, field.name), getattr(plain.anatomy, field.name)
        np.testing.assert_array_equal(mine, theirs, field.name)
    np.testing.assert_array_equal(env.reset()[:, :3], plain.reset()[:, :3])
    for step in range(busy_env.max_episode_steps):
        forces = [
            task.push_force(np, e.anatomy, busy_env, e.task_state._replace(step=np.full(2, step))) for e in (env, plain)
        ]
        np.testing.assert_array_equal(*forces)


def test_rows_are_the_evaluations_of_the_changed_worlds(species: Species, config: StageConfig, still: Actor) -> None:
    chosen = (VARIATIONS[2], VARIATIONS[8], VARIATIONS[9], VARIATIONS[12])
    rows = measure_robustness(still, species, config, 3, EPISODES, chosen)
    assert [row.name for row in rows] == ["nominal", "heading 90", "mass x0.9", "mass x1.1", "friction 1.0"]
    plain = run_episodes(still, species, config, 3, Stream.EVAL, EPISODES).summary()
    for row, world in zip(rows, (NOMINAL, *chosen), strict=True):
        summary = run_episodes(
            still, species, config, 3, Stream.EVAL, EPISODES, change=world.change, heading=world.heading
        ).summary()
        for name in ("success", "success_low", "success_high", "survival", "score"):
            assert getattr(row, name) == summary[name]
        assert row.drop == plain["success"] - summary["success"]
        assert row.speed is None, "nobody walks in stage 1"
    assert 0.0 < plain["success"] < 1.0, "the test needs both outcomes"
    assert {**asdict(rows[4]), "name": "nominal"} == asdict(rows[0]), "the model's own friction changes nothing"
    assert rows[0].drop == 0.0


def test_a_harmful_world_shows_a_drop(species: Species, still: Actor) -> None:
    calm = load_stage(
        "velociraptor", 1, parse_overrides([*SHORT, "env.push_velocity_max=0", "env.push_velocity_min=0"])
    )
    worlds = (Variation("four times as heavy", scale_mass(4.0)),)
    nominal, heavy = measure_robustness(still, species, calm, 0, 4, worlds)
    assert (nominal.success, heavy.success, heavy.survival, heavy.drop) == (1.0, 0.0, 0.0, 1.0)


def test_a_walk_has_a_speed(species: Species, still: Actor) -> None:
    walking = load_stage("velociraptor", 2, parse_overrides(SHORT))
    (row,) = measure_robustness(still, species, walking, 0, 2, ())
    plain = walking.model_copy(update={"env": walking.env.model_copy(update={"friction_range": None})})
    summary = run_episodes(still, species, plain, 0, Stream.EVAL, 2).summary()
    assert row.speed == summary["gait/speed"]


def test_all_variations() -> None:
    assert [world.name for world in VARIATIONS] == [
        *(f"heading {degrees}" for degrees in (0, 45, 90, 135, 180, 225, 270, 315)),
        *("mass x0.9", "mass x1.1"),
        *(f"friction {coefficient}" for coefficient in (0.6, 0.8, 1.0, 1.2)),
    ]
    headings = [world.heading for world in VARIATIONS if world.heading is not None]
    np.testing.assert_allclose(np.degrees(headings), np.arange(0, 360, 45))


def test_command(
    anatomy: Anatomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = task.layout_of(anatomy)
    size = sum(width for _, width in layout)
    arrays = {
        "norm/mean": np.zeros(size, np.float32),
        "norm/std": np.ones(size, np.float32),
        "actor/0/kernel": np.zeros((size, anatomy.nu), np.float32),
        "actor/0/bias": np.zeros(anatomy.nu, np.float32),
    }
    path = tmp_path / "still.zip"
    path.write_bytes(Policy("velociraptor", 1, layout, "elu", arrays).to_bytes())

    def run(*options: str) -> str:
        arguments = ["robustness", str(path), "--episodes", "3", "--seed", "5", *options]
        for override in SHORT:
            arguments += ["--override", override]
        monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        assert done.value.code in (0, None)
        return capsys.readouterr().out

    result = json.loads(run("--json"))
    assert (result["species"], result["stage"], result["seed"], result["episodes"]) == ("velociraptor", 1, 5, 3)
    assert [row["name"] for row in result["rows"]] == ["nominal", *(world.name for world in VARIATIONS)]
    nominal = result["rows"][0]["success"]
    assert all(row["drop"] == nominal - row["success"] for row in result["rows"])
    monkeypatch.setenv("COLUMNS", "80")
    table = run()
    assert all(row["name"] in table for row in result["rows"])
    assert "drop" in table
    assert "speed" not in table
