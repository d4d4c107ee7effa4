"""Each animal's own words, and the words of earlier systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesozoic.config import load_file, parse_flag, parse_override, parse_overrides
from mesozoic.config.counted import COUNTED
from mesozoic.config.override import ALIASES, RENAMED, SECTIONS, section_keys
from mesozoic.errors import UserError
from mesozoic.species import load_stage
from mesozoic.species.stages import configs_folder

BEHAVIOUR = "[stage]\nnumber = 3\nname = 'bite'\n[env]\ntarget_froude = 0.1\n"
VALUES = {
    "env.task_bonus": "7.0",
    "env.approach_weight": "7.0",
    "env.proximity_weight": "7.0",
    "env.prey_distance_range": "[1.0, 7.0]",
    "env.prey_height_range": "[0.5, 7.0]",
}
ANIMALS = {alias: path for alias, path in ALIASES.items() if alias.startswith("env.")}
"""Those of an earlier system are in `test_earlier_names.py`."""


def _file(folder: Path, text: str) -> Path:
    path = folder / "stage3_bite.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _message(text: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_file(_file(folder, text))
    message = str(caught.value)
    assert "stage3_bite.toml" in message
    assert "\n" not in message
    return message


def test_aliases_stand_for_keys_that_exist_and_are_none_themselves() -> None:
    for path, meant in (ALIASES | COUNTED).items():
        section, alias = path.split(".")
        meant_section, key = meant.split(".")
        assert section in SECTIONS
        assert key in section_keys(meant_section)
        assert alias not in section_keys(section)
        assert path not in RENAMED


@pytest.mark.parametrize(("alias", "path"), ANIMALS.items())
def test_an_alias_is_its_key_in_a_file_and_in_every_spelling_of_an_override(
    alias: str, path: str, tmp_path: Path
) -> None:
    name, key = alias.removeprefix("env."), path.removeprefix("env.")
    value = VALUES[path]
    plain = load_file(_file(tmp_path, f"{BEHAVIOUR}{key} = {value}\n"))
    assert load_file(_file(tmp_path, f"{BEHAVIOUR}{name} = {value}\n")) == plain
    assert getattr(plain.env, key) != getattr(load_file(_file(tmp_path, BEHAVIOUR)).env, key)
    expected = parse_override(f"env.{key}={value}")
    assert parse_override(f"{alias}={value}") == expected
    assert parse_flag(alias, value) == parse_flag(f"env_{name}", value) == expected
    assert load_file(_file(tmp_path, BEHAVIOUR), [expected]) == plain


def test_an_alias_may_be_meant_for_one_stage() -> None:
    overrides = parse_overrides(["3.env.bite_bonus=7.5"])
    assert load_stage("trex", 3, overrides).env.task_bonus == 7.5
    assert load_stage("trex", 2, overrides) == load_stage("trex", 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [("task_bonus", "bite_bonus"), ("bite_bonus", "task_bonus"), ("bite_bonus", "strike_bonus")],
)
def test_both_spellings_in_one_file_are_refused_even_if_they_agree(first: str, second: str, tmp_path: Path) -> None:
    message = _message(f"{BEHAVIOUR}{first} = 5.0\n{second} = 5.0\n", tmp_path)
    assert f"'{second}' and '{first}' in [env] are the same key; keep one" in message


@pytest.mark.parametrize(
    "texts",
    [
        ("env.task_bonus=5", "env.bite_bonus=6"),
        ("env.strike_bonus=5", "env.task_bonus=6"),
        ("env.bite_bonus=5", "env.bite_bonus=6"),
    ],
)
def test_an_override_wins_over_the_file_and_a_later_one_over_an_earlier_whatever_its_spelling(
    texts: tuple[str, ...], tmp_path: Path
) -> None:
    path = _file(tmp_path, f"{BEHAVIOUR}bite_bonus = 1.0\n")
    assert load_file(path).env.task_bonus == 1.0
    assert load_file(path, parse_overrides(texts)).env.task_bonus == 6.0


def test_results_carry_the_key() -> None:
    saved = load_stage("trex", 3).model_dump(mode="json")["env"]
    assert "bite_bonus" not in saved
    assert saved["task_bonus"] > 0.0


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("strike_bonu", "strike_bonus"),
        ("bite_bonu", "bite_bonus"),
        ("strike_aproach_weight", "strike_approach_weight"),
        ("food_hight_range", "food_height_range"),
        ("taks_bonus", "task_bonus"),
        ("alive_bonu", "alive_bonus"),
    ],
)
def test_a_misspelt_alias_is_answered_with_the_alias_and_a_key_with_the_key(
    wrong: str, meant: str, tmp_path: Path
) -> None:
    answer = f"unknown key 'env.{wrong}'; did you mean 'env.{meant}'?"
    with pytest.raises(UserError) as caught:
        parse_override(f"env.{wrong}=1")
    assert str(caught.value) == f"override 'env.{wrong}=1': {answer}"
    assert answer in _message(f"{BEHAVIOUR}{wrong} = 1.0\n", tmp_path)


def test_an_alias_belongs_to_its_section(tmp_path: Path) -> None:
    assert "unknown key 'curriculum.bite_bonus'" in _message(f"{BEHAVIOUR}[curriculum]\nbite_bonus = 1.0\n", tmp_path)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_key_of_an_earlier_system_is_told_its_name_here(old: str, new: str, tmp_path: Path) -> None:
    wanted = f"'{old}' is set by '{new}' here; use that key"
    section, key = new.split(".")
    assert key in section_keys(section)
    with pytest.raises(UserError) as caught:
        parse_override(f"{old}=1")
    assert str(caught.value) == f"override '{old}=1': {wanted}"
    section, key = old.split(".")
    text = f"[stage]\nnumber = 3\nname = 'bite'\n[{section}]\n{key} = 1\n"
    assert wanted in _message(text, tmp_path)


def test_the_stage_files_use_the_words_of_their_animals() -> None:
    used = {
        alias
        for path in configs_folder().glob("*/stage3_*.toml")
        for alias in ANIMALS
        if f"\n{alias.removeprefix('env.')} = " in path.read_text(encoding="utf-8")
    }
    assert {"env.strike_bonus", "env.bite_bonus", "env.food_reach_bonus"} <= used
