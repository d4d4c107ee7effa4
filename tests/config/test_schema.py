"""Types, ranges and conditions between keys, seen through the message a user gets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mesozoic.config import EnvSection, StageConfig, validate
from mesozoic.errors import UserError


def _config(**sections: dict[str, object]) -> StageConfig:
    raw: dict[str, dict[str, object]] = {"stage": {"number": 1, "name": "balance"}}
    for name, values in sections.items():
        raw.setdefault(name, {}).update(values)
    return validate(raw, "here")


def _message(**sections: dict[str, object]) -> str:
    with pytest.raises(UserError) as caught:
        _config(**sections)
    return str(caught.value)


def _batch_message(**sections: dict[str, object]) -> str:
    with pytest.raises(UserError) as caught:
        _config(**sections).check_ppo_batches()
    return str(caught.value)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("ppo", "learning_rate", "fast"),
        ("ppo", "learning_rate", True),
        ("ppo", "n_steps", "64"),
        ("ppo", "n_steps", 64.5),
        ("ppo", "n_steps", True),
        ("ppo", "net_arch", "huge"),
        ("ppo", "net_arch", []),
        ("ppo", "net_arch", [64, 0]),
        ("ppo", "net_arch", [True]),
        ("jax", "normalize_value", 1),
        ("jax", "normalize_value", "yes"),
        ("jax", "matmul_precision", "low"),
        ("sac", "ent_coef", "none"),
        ("stage", "number", 100),
        ("stage", "name", ""),
        ("stage", "n_envs", 0),
        ("env", "alive_bonus", -0.1),
        ("env", "fall_height", 1.0),
        ("env", "fall_tilt", 181),
        ("env", "max_episode_steps", 1),
        ("ppo", "gamma", 1.0),
        ("ppo", "gae_lambda", 1.01),
        ("curriculum", "min_survival", 1.0),
        ("env", "task_bonus", -1.0),
        ("env", "target_froude", 2.1),
        ("env", "gait_duty", 0.95),
        ("env", "gait_frequency", -0.1),
        ("env", "clearance_height", 0.0),
        ("env", "target_bearing", 181.0),
        ("env", "prey_distance_range", 3.0),
        ("env", "prey_distance_range", [1.0, 2.0, 3.0]),
        ("env", "prey_height_range", None),
        ("env", "reach_radius", 0.0),
        ("env", "reach_tilt", 90.0),
        ("env", "hold_time", -0.1),
    ],
)
def test_a_value_of_wrong_type_or_range_is_named_with_its_key(section: str, key: str, value: object) -> None:
    message = _message(**{section: {key: value}})
    assert f"{section}.{key}" in message
    assert repr(value) in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("section", "key"), [("curriculum", "min_avg_reward"), ("env", "fall_tilt"), ("ppo", "n_steps")]
)
def test_numbers_that_are_not_finite_are_refused(section: str, key: str, value: float) -> None:
    assert f"{section}.{key}" in _message(**{section: {key: value}})


@given(st.integers(1, 65536))
def test_integral_floats_are_integers(count: int) -> None:
    n_envs = _config(stage={"n_envs": float(count)}, ppo={"batch_size": 1}).stage.n_envs
    assert n_envs == count
    assert type(n_envs) is int


def test_integers_are_floats_where_a_float_is_wanted() -> None:
    assert _config(env={"alive_bonus": 2}).env.alive_bonus == 2.0


@given(st.integers(1, 4096), st.integers(2, 2048), st.integers(1, 10**7))
def test_the_batch_size_that_a_message_names_works(n_envs: int, n_steps: int, batch_size: int) -> None:
    sections = {"stage": {"n_envs": n_envs}, "ppo": {"n_steps": n_steps, "batch_size": batch_size}}
    if (n_envs * n_steps) % batch_size == 0:
        _config(**sections).check_ppo_batches()
        return
    named = re.search(r"set ppo\.batch_size=(\d+)", _batch_message(**sections))
    assert named is not None
    sections["ppo"]["batch_size"] = int(named[1])
    assert 1 <= int(named[1]) <= batch_size
    _config(**sections).check_ppo_batches()


def test_the_largest_sizes_are_judged_at_once() -> None:
    message = _batch_message(stage={"n_envs": 65521}, ppo={"n_steps": 1021, "batch_size": 2**31})
    assert "set ppo.batch_size=" in message


def test_a_gate_that_no_episode_can_pass_is_refused() -> None:
    sections = {"env": {"max_episode_steps": 100}, "curriculum": {"min_avg_episode_length": 100}}
    assert "below 100" in _message(**sections)
    sections["curriculum"]["min_avg_episode_length"] = 99
    assert _config(**sections).curriculum.min_avg_episode_length == 99


@pytest.mark.parametrize(
    "env",
    [{"push_velocity_min": 0.3, "push_velocity_max": 0.2}, {"push_duration": 2.0, "push_interval": 2.0}],
)
def test_pushes_that_contradict_themselves_are_refused(env: dict[str, object]) -> None:
    message = _message(env=env)
    assert all(key in message for key in env)


@pytest.mark.parametrize("key", ["prey_distance_range", "prey_height_range"])
@given(st.floats(-10.0, 10.0), st.floats(-10.0, 10.0))
def test_prey_appears_between_a_least_and_a_greatest_value(key: str, first: float, second: float) -> None:
    least = 0.1 if key == "prey_distance_range" else 0.0
    if least <= first <= second:
        assert getattr(_config(env={key: [first, second]}).env, key) == (first, second)
        return
    message = _message(env={key: [first, second]})
    assert f"{key} = {[first, second]} should be" in message
    assert "\n" not in message


@pytest.mark.parametrize("key", ["prey_distance_range", "prey_height_range"])
@pytest.mark.parametrize("value", [[], [1.0], [1.0, "far"], [1.0, float("nan")], [1.0, float("inf")], "near", True])
def test_a_range_of_prey_is_two_numbers(key: str, value: object) -> None:
    message = _message(env={key: value})
    assert f"env.{key}" in message
    assert "\n" not in message


def test_the_keys_say_what_the_animal_is_asked_to_do() -> None:
    assert EnvSection().task == "balance"
    assert EnvSection(prey_height_range=(0.1, 1.0)).task == "balance"
    assert EnvSection(target_froude=0.1).task == "locomotion"
    for froude in (0.0, 0.1):
        env = EnvSection(target_froude=froude, prey_distance_range=(1.0, 2.0))
        assert env.task == "behaviour"
        assert env.has_target
    assert not EnvSection(target_froude=0.1).has_target


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"'stage\.name' is missing"):
        validate({"stage": {"number": 1}}, "here")
    with pytest.raises(UserError, match="'stage' is missing"):
        validate({}, "here")


def test_a_configuration_cannot_be_changed() -> None:
    config = _config()
    with pytest.raises(ValidationError):
        config.ppo.learning_rate = 1.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        config.env = EnvSection()  # type: ignore[misc]
