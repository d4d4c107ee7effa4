"""Overrides: one value for one key, in every spelling that users and sweep services write.

All of these mean the same::

    --override ppo.learning_rate=1e-4      ppo.learning_rate=1e-4      --ppo.learning_rate=1e-4
    --ppo_learning_rate 1e-4               --ppo_learning_rate=1e-4

`2.ppo.learning_rate=1e-4` applies to stage 2 only. `str(override)` is the first of these spellings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time

from mesozoic.config.counted import COUNTED
from mesozoic.config.schema import StageConfig
from mesozoic.errors import Problems, UserError, did_you_mean, shown
from mesozoic.files import parse_toml

SECTIONS = tuple(StageConfig.model_fields)
IGNORED = "_"
"""What the names of arguments begin with that sweep services inject and that carry nothing for us: `--_wandb`."""

PYTHON_CONSTANTS = {"True": True, "False": False, "None": None}
"""Sweep services written in Python spell values as Python does."""

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
"""Strings that need no quotes."""

ALIASES = {
    "env.strike_bonus": "env.task_bonus",
    "env.bite_bonus": "env.task_bonus",
    "env.food_reach_bonus": "env.task_bonus",
    "env.strike_approach_weight": "env.approach_weight",
    "env.bite_approach_weight": "env.approach_weight",
    "env.food_approach_weight": "env.approach_weight",
    "env.strike_proximity_weight": "env.proximity_weight",
    "env.bite_proximity_weight": "env.proximity_weight",
    "env.food_proximity_weight": "env.proximity_weight",
    "env.food_distance_range": "env.prey_distance_range",
    "env.food_height_range": "env.prey_height_range",
    "jax.num_envs": "stage.n_envs",
    "jax.rollout_len": "ppo.n_steps",
    "jax.update_epochs": "ppo.n_epochs",
}
"""Each animal's own word for a key, and that of an earlier system, accepted wherever the key is; results carry the key.
Those that count otherwise than the key are in `counted.py`."""

RENAMED = {
    "env.forward_vel_max": "env.target_froude",
    "env.gait_symmetry_weight": "env.gait_weight",
}
"""Keys of earlier systems that are no keys here, and the key that has their meaning."""


@dataclass(frozen=True)
class Override:
    """`section.key = value`; `stage` is None when it applies to every stage."""

    section: str
    key: str
    value: object
    stage: int | None = None

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    def __str__(self) -> str:
        """The text that `parse_override` reads back as this override."""
        stage = "" if self.stage is None else f"{self.stage}."
        return f"{stage}{self.path}={write_value(self.value)}"


def section_keys(section: str) -> tuple[str, ...]:
    """Keys of a section."""
    return tuple(StageConfig.model_fields[section].annotation.model_fields)  # type: ignore[union-attr]


def canonical(section: str, key: str) -> tuple[str, str]:
    """Section and key of what `section.key` is an alias of, else themselves."""
    meant, _, name = ALIASES.get(f"{section}.{key}", f"{section}.{key}").partition(".")
    return meant, name


def locate(section: str, key: str, where: str) -> tuple[str, str]:
    """Section and key that a spelling reaches, of those that a stage file may have.

    Raises:
        UserError: it reaches none.
    """
    found = canonical(section, key)
    if section in SECTIONS and (".".join(found) in COUNTED or found[1] in section_keys(found[0])):
        return found
    raise unknown_key(section, key, where)


def unknown_key(section: str, key: str, where: str) -> UserError:
    """The error for a section or key that does not exist, naming the closest one that does."""
    section, key = shown(section), shown(key)
    path = f"{section}.{key}" if key else section
    if path in RENAMED:
        return UserError(f"{where}: '{path}' is set by '{RENAMED[path]}' here; use that key")
    if section not in SECTIONS:
        return UserError(f"{where}: unknown section '{section}'{did_you_mean(section, SECTIONS)}")
    every = [f"{s}.{k}" for s in SECTIONS for k in section_keys(s)]
    aliases = [alias.partition(".")[2] for alias in (*ALIASES, *COUNTED) if alias.startswith(f"{section}.")]
    near = did_you_mean(key, [*section_keys(section), *aliases])
    near = near.replace("'", f"'{section}.", 1) if near else did_you_mean(path, every)
    return UserError(f"{where}: unknown key '{path}'{near}")


def parse_value(text: str) -> object:
    """Read a value as TOML does (numbers, booleans, lists, quoted strings); anything else is a string."""
    if text in PYTHON_CONSTANTS:
        return PYTHON_CONSTANTS[text]
    try:
        table = parse_toml(f"value = {text}")
        if len(table) == 1:  # a line break in the text may begin another key
            return table["value"]
    except ValueError:  # not TOML
        pass
    try:
        return float(text)  # '1e4' and '.5' are numbers to everyone but TOML
    except ValueError:
        return text


def write_value(value: object) -> str:
    """`value` as one word or one quoted or bracketed value, which `parse_value` reads back."""
    if value is None:
        return "None"
    if isinstance(value, str) and PLAIN.fullmatch(value) and parse_value(value) == value:
        return value
    return _toml(value)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the delete character, which JSON leaves bare and TOML refuses.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items()) + "}"
    raise TypeError(f"an override cannot hold a {type(value).__name__}")


def parse_override(text: str) -> Override:
    """Parse `[stage.]section.key=value`.

    Raises:
        UserError: the text is not of that form, or the section or key does not exist.
    """
    path, equals, value = text.partition("=")
    parts = path.strip().split(".")
    stage: int | None = None
    if parts[0].isdigit():
        number = parts.pop(0)
        if not number.isascii() or len(number) > 2 or int(number) == 0:
            raise UserError(
                f"override '{shown(text)}': there is no stage {shown(number)}; write the number of one in front of"
                " the section"
            )
        stage = int(number)
    if not equals or len(parts) != 2 or not all(parts):
        raise UserError(
            f"override '{shown(text)}' is not of the form section.key=value, for example ppo.learning_rate=1e-4"
        )
    section, key = locate(parts[0], parts[1], f"override '{shown(text)}'")
    return Override(section, key, parse_value(value.strip()), stage)


def flag_text(name: str, value: str) -> str | None:
    """A sweep service's `--name value`, `name` without dashes, as an override's text; None for one to ignore.

    Raises:
        UserError: the name is no `section.key` or `section_key`.
    """
    if name.startswith(IGNORED):
        return None
    if "." in name:
        return f"{name}={value}"
    for section in SECTIONS:
        if name.startswith(f"{section}_"):
            return f"{section}.{name.removeprefix(f'{section}_')}={value}"
    known = [f"{section}_{key}" for section in SECTIONS for key in section_keys(section)]
    near = did_you_mean(name, known).replace(chr(39), chr(39) + "--", 1)
    raise UserError(f"unknown option '--{shown(name)}'{near}")


def parse_flag(name: str, value: str) -> Override | None:
    """Parse a sweep service's `--name value`, `name` without dashes; None for one to ignore.

    Raises:
        UserError: the name is no `section.key` or `section_key`.
    """
    text = flag_text(name, value)
    return None if text is None else parse_override(text)


def parse_overrides(texts: Sequence[str]) -> tuple[Override, ...]:
    """Parse many; later ones win over earlier ones when they are applied.

    Raises:
        UserError: a sentence for each that is none.
    """
    found: list[Override] = []
    mistakes: list[str] = []
    for text in texts:
        try:
            found.append(parse_override(text))
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise Problems(mistakes)
    return tuple(found)
