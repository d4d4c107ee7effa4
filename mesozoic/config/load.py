"""Loads a stage: TOML file, then overrides, then checks."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from mesozoic.config.override import SECTIONS, Override, canonical, section_keys, unknown_key
from mesozoic.config.schema import StageConfig
from mesozoic.errors import UserError


def load_file(path: Path, overrides: Iterable[Override] = (), stage: int | None = None) -> StageConfig:
    """Load one stage file.

    Raises:
        UserError: the file cannot be read, is not TOML, or is not a valid stage.
    """
    where = path.name
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, too many digits or brackets
        raise UserError(f"{where} is not valid TOML ({error}); correct it") from None
    raw = _known_keys(text, where)
    if stage is None:
        stage = _stage_number(raw)
    for override in overrides:
        if override.stage is None or override.stage == stage:
            raw.setdefault(override.section, {})[override.key] = override.value
            where = f"{path.name} with overrides"
    return validate(raw, where)


def _stage_number(raw: dict[str, dict[str, object]]) -> int | None:
    number = raw.get("stage", {}).get("number")
    return number if isinstance(number, int) else None


def validate(raw: dict[str, dict[str, object]], where: str) -> StageConfig:
    """Check a raw configuration.

    Raises:
        UserError: one sentence about the first thing that is wrong with it.
    """
    try:
        return StageConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"][:2])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "value_error":
            raise UserError(f"{where}: {message}") from None
        if first["type"] == "missing":
            raise UserError(f"{where}: '{path}' is missing; add it") from None
        message = message.replace("Input should", "should")
        raise UserError(f"{where}: {path} {message}, but it is {first['input']!r}; correct that value") from None


def _known_keys(raw: dict[str, object], where: str) -> dict[str, dict[str, object]]:
    """The same with aliases replaced by the keys they stand for; anything unknown is refused."""
    known: dict[str, dict[str, object]] = {}
    for section, table in raw.items():
        if section not in SECTIONS:
            raise unknown_key(section, "", where)
        if not isinstance(table, dict):
            raise UserError(f"{where}: '{section}' must be a section, not {table!r}; write [{section}]")
        found: dict[str, str] = {}
        for key in table:
            name = canonical(section, key)
            if name not in section_keys(section):
                raise unknown_key(section, key, where)
            if name in found:
                raise UserError(f"{where}: '{key}' and '{found[name]}' in [{section}] are the same key; keep one")
            found[name] = key
        known[section] = {name: table[key] for name, key in found.items()}
    return known
