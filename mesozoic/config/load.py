"""Loads a stage: TOML file, then overrides, then checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mesozoic.config.counted import COUNTED, Layer, in_steps, put, resolve, target, whole
from mesozoic.config.override import SECTIONS, Override, locate, unknown_key
from mesozoic.config.schema import PPOSection, StageConfig, StageSection
from mesozoic.errors import Problems, UserError, shown, written
from mesozoic.files import cause, parse_toml, read_text

DEVICE = "device"
"""The table of a stage file with tables of its own, `[device.ppo]` and so on: what is otherwise on a device engine."""


def load_file(
    path: Path, overrides: Iterable[Override] = (), stage: int | None = None, device: bool = False
) -> StageConfig:
    """Load one stage file; for a `device` engine with what its table `[device]` says, under the overrides.

    Where the overrides change the number of worlds and say nothing of batches, each rollout of PPO is still cut into
    as many batches as the file says: see `keep_batches`.

    Raises:
        UserError: the file cannot be read, is not TOML, or is not a valid stage. All mistakes are named at once.
    """
    try:
        text = parse_toml(read_text(path))
    except ValueError as error:
        raise UserError(f"{path.name} is not valid TOML ({cause(error)}); correct it") from None
    otherwise = text.pop(DEVICE, {})
    values, mistakes = _known_keys(text, path.name)
    mistakes += _disagreements(values, values, path.name)
    if not isinstance(otherwise, dict):
        raise UserError(f"{path.name}: '{DEVICE}' must be a table of sections; write for example [{DEVICE}.ppo]")
    changes, more = _known_keys(otherwise, f"{path.name} [{DEVICE}]")
    mistakes += [*more, *_disagreements(changes, {**values, **changes}, f"{path.name} [{DEVICE}]")]
    for name, value in changes.items() if device else ():
        put(values, name, value)
    if stage is None:
        stage = _stage_number(values)
    applied: dict[str, Override] = {}
    for override in overrides:
        if override.stage is None or override.stage == stage:
            put(applied, override.path, override)
    keep_batches(values, applied)
    for override in applied.values():
        put(values, override.path, override.value)
    known, wrong = resolve(values)
    for name, complaint in wrong:
        given = f"override '{shown(str(applied[name]))}'" if name in applied else path.name
        mistakes.append(f"{given}: {name} {complaint}")
    raw: dict[str, dict[str, object]] = {}
    for name, value in known.items():
        section, _, key = name.partition(".")
        raw.setdefault(section, {})[key] = value
    return validate(raw, path.name, applied, mistakes)


def has_device_table(path: Path) -> bool:
    """Whether a stage file has the table `[device]`; not if it cannot be read, which `load_file` says."""
    try:
        return DEVICE in parse_toml(read_text(path))
    except (UserError, ValueError):
        return False


def _stage_number(values: Layer) -> int | None:
    number = values.get("stage.number")
    return number if isinstance(number, int) else None


def keep_batches(values: Layer, applied: Mapping[str, Override]) -> None:
    """Change `ppo.batch_size` along with the number of worlds, so that a rollout has as many batches as before.

    Nothing is changed if an override says something of batches or of the length of a rollout, if their number is
    given, or if it cannot be done in whole numbers: then the check of batches explains what fits.
    """
    worlds = applied.get("stage.n_envs")
    decided = {"ppo.batch_size", "ppo.n_steps", "jax.num_minibatches"}
    if worlds is None or decided & applied.keys() or "jax.num_minibatches" in values:
        return
    before = _count(values.get("stage.n_envs", StageSection.model_fields["n_envs"].default))
    steps = _count(values.get("ppo.n_steps", PPOSection.model_fields["n_steps"].default))
    size = _count(values.get("ppo.batch_size", PPOSection.model_fields["batch_size"].default))
    after = _count(worlds.value)
    if not (before and steps and size and after):  # something is no number, which is said elsewhere
        return
    batches, rest = divmod(before * steps, size)
    if batches and not rest and (after * steps) % batches == 0:
        values["ppo.batch_size"] = after * steps // batches


def _count(value: object) -> int:
    """A whole number above 0 as it is, anything else as 0."""
    return max(whole(value) or 0, 0)


def validate(
    raw: Mapping[str, object], where: str, applied: Mapping[str, Override] | None = None, mistakes: Iterable[str] = ()
) -> StageConfig:
    """Check a raw configuration.

    Args:
        where: what it was read from, for sentences about it.
        applied: the overrides in it, by `section.key`; a sentence about one of them quotes it.
        mistakes: sentences about mistakes that were found already.

    Raises:
        UserError: one sentence for each thing that is wrong with it.
    """
    found = list(mistakes)
    applied = applied or {}
    try:
        config = StageConfig.model_validate(raw)
    except ValidationError as error:
        said: set[str] = set()
        for one in error.errors(include_url=False):
            path = ".".join(str(part) for part in one["loc"][:2])
            if path not in said or one["type"] == "value_error":  # a key of two types has an error for each of them
                found.append(_sentence(dict(one), path, where, applied))
            said.add(path)
    if found:
        raise Problems(found)
    return config


def _sentence(error: dict[str, Any], path: str, where: str, applied: Mapping[str, Override]) -> str:
    """What pydantic found, in words."""
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}{' with overrides' if applied else ''}: {message}"
    if error["type"] == "missing":
        return f"{where}: '{path}' is missing; add it"
    if path in applied:
        where = f"override '{shown(str(applied[path]))}'"
    message = message.replace("Input should", "should")
    return f"{where}: {path} {message}, but it is {shown(written(error['input']))}; correct that value"


def _known_keys(raw: Mapping[str, object], where: str) -> tuple[Layer, list[str]]:
    """The values of a file's tables by the keys that they decide, and a sentence about everything unknown in them."""
    values: Layer = {}
    mistakes: list[str] = []
    written_as: dict[str, tuple[str, str]] = {}
    for section, table in raw.items():
        if section not in SECTIONS:
            mistakes.append(str(unknown_key(section, "", where)))
            continue
        if not isinstance(table, dict):
            mistakes.append(f"{where}: '{section}' must be a section, not {shown(written(table))}; write [{section}]")
            continue
        for key, value in table.items():
            try:
                path = ".".join(locate(section, key, where))
            except UserError as error:
                mistakes.append(str(error))
                continue
            place, name = written_as.setdefault(path, (section, key))
            if (place, name) == (section, key):
                values[path] = value
            elif place == section:
                mistakes.append(f"{where}: '{key}' and '{name}' in [{section}] are the same key; keep one")
            elif values[path] != value:
                mistakes.append(
                    f"{where}: {key} = {shown(written(value))} in [{section}] and {name} ="
                    f" {shown(written(values[path]))} in [{place}] are the same key; keep one"
                )
    return values, mistakes


def _disagreements(values: Layer, context: Layer, where: str) -> list[str]:
    """A sentence for each count of batches or updates beside another value of the key that it decides; where both
    say the same, the count is kept."""
    found = []
    for path in [path for path in values if path in COUNTED and target(path) in values]:
        steps, _ = in_steps(path, values[path], context)
        beside = values[target(path)]
        if steps is not None and steps != beside:
            found.append(
                f"{where}: {path} = {shown(written(values[path]))} makes {target(path)} {steps}, and it is"
                f" {shown(written(beside))} as well; keep one"
            )
        del values[target(path)]
    return found
