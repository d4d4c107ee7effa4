"""The fields of `facts.toml`, their types and limits, and the sentence about what is wrong with one.

Imported only when facts are read, so that the names of animals are known without loading pydantic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mesozoic.config.schema import Float
from mesozoic.errors import UserError, did_you_mean, shown, written
from mesozoic.files import cause, parse_toml, read_text

BEHAVIOURS = ("strike", "bite", "food_reach")


def _text(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 200:
        raise ValueError("should be one line of 1 to 200 printable characters")
    return value


def _behaviour(value: str) -> str:
    if value not in BEHAVIOURS:
        raise ValueError(f"should be one of {', '.join(BEHAVIOURS)}")
    return value


Text = Annotated[str, Field(strict=True), AfterValidator(_text)]


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FootFacts(Table):
    name: Text
    geoms: list[Text] = Field(min_length=1)


class SizeFacts(Table):
    quantity: Text
    value: Float = Field(gt=0.0)
    unit: Text
    source: Text


class Facts(Table):
    """What `facts.toml` holds; `Species` says what each field means."""

    name: Text = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    title: Text
    behaviour: Annotated[str, Field(strict=True), AfterValidator(_behaviour)]
    torso: Text
    hip_height: Float = Field(gt=0.0, le=100.0)
    feet: list[FootFacts] = Field(min_length=2)
    strike_sites: list[Text] = Field(min_length=1)
    action_scale: dict[str, Annotated[Float, Field(gt=0.0, le=math.pi)]] = Field(min_length=1)
    sizes: list[SizeFacts]
    scale: Float = Field(1.0, gt=0.0, le=100.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _distinct("feet", [foot.name for foot in self.feet])
        _distinct("geoms of the feet", [geom for foot in self.feet for geom in foot.geoms])
        _distinct("strike_sites", self.strike_sites)
        return self


def _distinct(what: str, names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"'{shown(twice[0], 60)}' is there twice among the {what}; keep one")


def read_facts(path: Path) -> Facts:
    """Read and check a `facts.toml`.

    Raises:
        UserError: one sentence about the first thing that is wrong with it.
    """
    text = read_text(path)
    where = shown(str(path), 120)
    try:
        raw = parse_toml(text)
    except ValueError as error:
        raise UserError(f"{where} is not valid TOML ({cause(error)}); correct it") from None
    try:
        return Facts.model_validate(raw)
    except ValidationError as error:
        errors = [dict(one) for one in error.errors(include_url=False)]
        unknown = [one for one in errors if one["type"] == "extra_forbidden"]  # often a misspelt one that is missing
        raise UserError(f"{where}: {_sentence((unknown or errors)[0])}{_also_missing(errors, unknown)}") from None


def _also_missing(errors: Sequence[dict[str, Any]], unknown: Sequence[dict[str, Any]]) -> str:
    missing = [shown(field_name(one["loc"]), 60) for one in errors if one["type"] == "missing"]
    return f" ('{missing[0]}' is missing)" if unknown and missing else ""


def _sentence(error: dict[str, Any]) -> str:
    place, kind, given = error["loc"], error["type"], error["input"]
    field = shown(field_name(place), 60)
    message = error["msg"].removeprefix("Value error, ")
    for word in ("Input", "List", "Dictionary"):
        message = message.removeprefix(f"{word} ") if message.startswith(f"{word} should") else message
    if kind == "extra_forbidden":
        near = did_you_mean(str(place[-1]), _fields_beside(place))
        return f"there is no field '{field}'{near or '; remove it'}"
    if kind == "missing":
        return f"the field '{field}' is missing; add it"
    if not place:
        return message
    if kind == "string_pattern_mismatch":
        message = "should be lower-case letters, digits and underscores, at most 40, a letter first"
    return f"'{field}' {message[:120]}, but it is {shown(written(given), 60)}; correct it"


def field_name(place: Iterable[str | int]) -> str:
    """`feet[0].geoms` for `("feet", 0, "geoms")`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _fields_beside(place: tuple[str | int, ...]) -> list[str]:
    tables: dict[str, type[Table]] = {"feet": FootFacts, "sizes": SizeFacts}
    return list((Facts if len(place) == 1 else tables[str(place[0])]).model_fields)
