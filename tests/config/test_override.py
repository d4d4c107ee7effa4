"""Every spelling of an override reaches the same place, and every mistake names its remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.config import Override, parse_flag, parse_override, parse_overrides
from mesozoic.config.override import parse_value
from mesozoic.errors import UserError
from mesozoic.species import load_stage


@pytest.mark.parametrize(
    "override",
    [
        parse_override("ppo.learning_rate=1e-4"),
        parse_override(" ppo.learning_rate = 0.0001 "),
        parse_flag("ppo.learning_rate", "1e-4"),
        parse_flag("ppo_learning_rate", "1e-4"),
        parse_flag("ppo_learning_rate", ".0001"),
    ],
)
def test_every_spelling_reaches_the_same_place(override: Override | None) -> None:
    assert override == Override("ppo", "learning_rate", 1e-4)
    assert load_stage("velociraptor", 1, [override]).ppo.learning_rate == 1e-4


def test_flag_names_keep_the_underscores_of_keys() -> None:
    flag = parse_flag("curriculum_min_avg_episode_length", "12")
    assert flag is not None
    assert flag.path == "curriculum.min_avg_episode_length"


def test_what_sweep_agents_inject_is_ignored() -> None:
    assert parse_flag("_wandb", "{}") is None


@pytest.mark.parametrize(("text", "value"), [("True", True), ("true", True), ("False", False), ("false", False)])
def test_booleans_in_the_spelling_of_python_and_of_toml(text: str, value: bool) -> None:
    override = parse_override(f"jax.normalize_value={text}")
    assert load_stage("velociraptor", 1, [override]).jax.normalize_value is value


def test_none_clears_an_optional_value() -> None:
    assert load_stage("velociraptor", 1, parse_overrides(["ppo.target_kl=None"])).ppo.target_kl is None


def test_ranges_are_lists_and_none_takes_the_prey_away() -> None:
    overrides = parse_overrides(["env.prey_distance_range=[1, 2.5]", "env.prey_height_range=[0.25, 0.5]"])
    env = load_stage("velociraptor", 1, overrides).env
    assert (env.prey_distance_range, env.prey_height_range, env.task) == ((1.0, 2.5), (0.25, 0.5), "behaviour")
    overrides += parse_overrides(["env.prey_distance_range=None"])
    assert load_stage("velociraptor", 1, overrides).env.task == "balance"


def test_later_overrides_win() -> None:
    overrides = parse_overrides(["ppo.n_epochs=3", "ppo.n_epochs=4"])
    assert load_stage("velociraptor", 1, overrides).ppo.n_epochs == 4


def test_an_override_for_another_stage_does_nothing() -> None:
    default = load_stage("velociraptor", 1)
    overrides = parse_overrides(["2.ppo.n_epochs=17", "1.ppo.gamma=0.5"])
    changed = load_stage("velociraptor", 1, overrides)
    assert changed.ppo.n_epochs == default.ppo.n_epochs != 17
    assert changed.ppo.gamma == 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ppo.learning_rat=1", "'ppo.learning_rate'"),
        ("po.learning_rate=1", "'ppo'"),
        ("ppo.push_interval=1", "'env.push_interval'"),
        ("env.forward_vel_max=1", "'env.target_froude'"),
        ("jax.num_env=1", "did you mean 'jax.num_envs'?"),
        ("env.forward_vel_max=1", "'env.forward_vel_max' is set by 'env.target_froude' here; use that key"),
        ("env.gait_symmetry_weight=1", "'env.gait_symmetry_weight' is set by 'env.gait_weight' here; use that key"),
        ("ppo.strike_bonus=1", "unknown key 'ppo.strike_bonus'; did you mean"),
        ("0.ppo.gamma=0.9", "there is no stage 0"),
        ("ppo.gamma", "section.key=value"),
        ("ppo=1", "section.key=value"),
        (".gamma=1", "section.key=value"),
    ],
)
def test_a_wrong_override_is_told_what_to_type(text: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_override(text)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ppo_learning_rat", "'ppo.learning_rate'"), ("poo_learning_rate", "'--ppo_learning_rate'")],
)
def test_a_wrong_flag_is_told_what_to_type(name: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_flag(name, "1")
    assert expected in str(caught.value)


@given(st.floats(allow_nan=False))
def test_floats_are_read_back_exactly(number: float) -> None:
    assert parse_value(repr(number)) == number


@given(st.integers(min_value=-(10**30), max_value=10**30))
def test_integers_are_read_back_exactly_and_stay_integers(number: int) -> None:
    value = parse_value(str(number))
    assert value == number
    assert type(value) is int


@given(st.lists(st.integers(1, 4096), min_size=1))
def test_lists_are_read_back(widths: list[int]) -> None:
    assert parse_value(str(widths)) == widths


@pytest.mark.parametrize("text", ["small", "a b", "", "deep_tapered", "[1,", "'", "1 2"])
def test_what_is_no_value_is_a_string(text: str) -> None:
    assert parse_value(text) == text
