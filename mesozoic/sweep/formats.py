"""Reads search spaces: the JSON of files and of `--search-space`, and W&B's sweep files; all mistakes at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from mesozoic.errors import Problems, UserError, did_you_mean, shown, written
from mesozoic.files import cause, parse_json, parse_yaml, read_text
from mesozoic.sweep.space import SETTINGS, Choice, Range, Search, SearchFile, gather
from mesozoic.sweep.wandb_format import read_wandb

LARGEST = 100_000
"""Bytes of a file."""
MOST = 1e300
"""A bound of a range, or a setting."""
STAGE = re.compile(r"stage([1-9][0-9]?)")
TYPES = {
    "double": ({"min", "max"}, {"scale"}),
    "integer": ({"min", "max"}, {"scale"}),
    "discrete": ({"values"}, {"scale"}),
    "categorical": ({"values"}, set()),
}
"""Type -> keys that an entry must have, keys that it may have."""
SCALES = ("linear", "log")
EXAMPLE = '{"ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 3e-4, "scale": "log"}}'


def read_search_file(path: Path) -> SearchFile:
    """Read a search space: `*.yaml` and `*.yml` as a W&B sweep, all else as JSON.

    Raises:
        UserError: it cannot be read; or a sentence for everything in it that makes no sense.
    """
    text = read_text(path, LARGEST)
    if path.suffix.lower() not in (".yaml", ".yml"):
        return read_json_text(text, path.name)
    try:
        config = parse_yaml(text)
    except ValueError as error:
        raise UserError(f"{path.name} is not valid YAML ({cause(error)}); correct it") from None
    return read_wandb(config, path.name)


def read_search_text(text: str) -> SearchFile:
    """Read the value of `--search-space`, which is JSON.

    Raises:
        UserError: as `read_search_file`.
    """
    if len(text) > LARGEST:
        raise UserError(f"--search-space has {len(text):,} characters; give a file with --search-space-file")
    return read_json_text(text, "--search-space")


def read_json_text(text: str, where: str) -> SearchFile:
    """Read JSON: parameters and settings for all stages, or in blocks `"stage1": {...}`, or both.

    Raises:
        UserError: a sentence for each mistake.
    """
    try:
        raw = parse_json(text)
    except ValueError as error:
        raise UserError(f"{where} is not valid JSON ({cause(error)}); write for example {EXAMPLE}") from None
    if not isinstance(raw, dict) or not raw:
        raise UserError(f"{where} holds no table of parameters; write for example {EXAMPLE}")
    wrong: list[str] = []
    stages: dict[int, Search] = {}
    common = {name: entry for name, entry in raw.items() if not STAGE.fullmatch(name)}
    for name, block in raw.items():
        found = STAGE.fullmatch(name)
        if found is None:
            continue
        if isinstance(block, dict):
            stages[int(found[1])] = _search(block, f"{where}, {name}", wrong)
        else:
            wrong.append(f"{where}: {name} is {shown(written(block))}; write a table of parameters")
    everywhere = _search(common, where, wrong)
    if wrong:
        raise Problems(wrong)
    if not everywhere.parameters and not any(stage.parameters for stage in stages.values()):
        raise UserError(f"{where}: nothing is searched; add for example {EXAMPLE[1:-1]}")
    return SearchFile(where, everywhere, stages)


def _search(block: Mapping[str, Any], where: str, wrong: list[str]) -> Search:
    """One table: entries with a type are parameters, numbers are settings."""
    settings: dict[str, int] = {}
    for name, entry in block.items():
        value = None if isinstance(entry, dict) else _setting(name, entry, where, wrong)
        settings |= {} if value is None else {name: value}
    entries = [(name, entry) for name, entry in block.items() if isinstance(entry, dict)]
    return Search(gather(entries, where, wrong, lambda name, entry: _domain(name, entry, where, wrong)), settings)


def _setting(name: str, value: object, where: str, wrong: list[str]) -> int | None:
    if name not in SETTINGS:
        near = did_you_mean(name, SETTINGS) or f"; settings are {', '.join(SETTINGS)}"
        wrong.append(
            f"{where}: '{shown(name)}' is {shown(written(value), 40)}, neither a parameter (a table with a type) nor a"
            f" setting{near}"
        )
        return None
    if not _is_number(value) or value < 1 or value != math.floor(value):
        wrong.append(f"{where}: {name} is {shown(written(value), 40)}; write a whole number, at least 1")
        return None
    return int(value)


def _domain(name: str, entry: Mapping[str, Any], where: str, wrong: list[str]) -> Range | Choice | None:
    """The values of a parameter; None, and a sentence for each mistake is added, if they make no sense."""
    place, before = f"{where}: parameter '{shown(name)}'", len(wrong)
    kind = entry.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        what = "has no type" if "type" not in entry else f"has the type {shown(written(kind), 40)}"
        near = did_you_mean(kind, TYPES) if isinstance(kind, str) else ""
        wrong.append(f"{place} {what}{near or ';'} write one of {', '.join(TYPES)}")
        return None
    needed, allowed = TYPES[kind]
    for key in sorted(needed - entry.keys()):
        wrong.append(f"{place} of type {kind} lacks '{key}'; add it")
    for key in entry.keys() - needed - allowed - {"type"}:
        near = did_you_mean(key, needed | allowed) or f"; it takes {', '.join(sorted(needed | allowed))}"
        wrong.append(f"{place} of type {kind} has no '{shown(key)}'{near}")
    scale = entry.get("scale", "linear")
    if scale not in SCALES:
        wrong.append(f"{place} has the scale {shown(written(scale), 40)}; write one of {', '.join(SCALES)}")
    found = _choice(entry, kind, place, wrong) if "values" in needed else _range(entry, kind, scale, place, wrong)
    return found if len(wrong) == before else None


def _range(entry: Mapping[str, Any], kind: str, scale: object, place: str, wrong: list[str]) -> Range | None:
    bounds: list[float] = []
    for key in ("min", "max"):
        value = entry.get(key)
        if key not in entry:
            continue
        if not _is_number(value) or (kind == "integer" and value != math.floor(value)):
            what = "a whole number" if kind == "integer" else "a number"
            wrong.append(f"{place} has {key} = {shown(written(value), 40)}; write {what}")
        else:
            bounds.append(value)
    if len(bounds) < 2:
        return None
    low, high = bounds
    if low >= high:
        wrong.append(f"{place} has min = {low} and max = {high}; min must be below max")
    if scale == "log" and low <= 0:
        wrong.append(f"{place} has min = {low} on a log scale; write a min above 0, or the scale linear")
    whole = kind == "integer"
    return Range(int(low), int(high), scale == "log", whole=True) if whole else Range(low, high, scale == "log")


def _choice(entry: Mapping[str, Any], kind: str, place: str, wrong: list[str]) -> Choice | None:
    values = entry.get("values")
    if "values" not in entry:
        return None
    if not isinstance(values, list) or not values:
        wrong.append(f"{place} has values = {shown(written(values), 40)}; write a list such as [64, 128]")
        return None
    if kind == "discrete":
        wrong += [
            f"{place} of type discrete has the value {shown(written(one), 40)}; write numbers, or the type categorical"
            for one in values
            if not _is_number(one)
        ]
    if len({written(one) for one in values}) < len(values):
        wrong.append(f"{place} lists a value twice: {shown(written(values))}; list each once")
    return Choice(tuple(values))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST <= value <= MOST
