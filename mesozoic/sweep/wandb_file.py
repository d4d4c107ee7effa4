"""Reads a W&B sweep file and finds its mistakes before anything is created or rented."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mesozoic.errors import Problems, UserError, sentences_of, shown, written
from mesozoic.files import cause, parse_yaml, read_text
from mesozoic.run.words import spec_of_words
from mesozoic.sweep.check import space_problems
from mesozoic.sweep.wandb_command import as_trial
from mesozoic.sweep.wandb_format import (
    ARGUMENTS,
    SHIPPED,
    command_words,
    read_wandb,
    trial_spec_words,
    without_macros,
)

LARGEST = 100_000
"""Bytes of a sweep file."""
LOGGED = re.compile(r"eval/score|sweep/value|stage[1-9][0-9]?/.+")


@dataclass(frozen=True)
class SweepFile:
    """A sweep that was read and checked, with `mesozoic sweep trial` for `mesozoic train`.

    Attributes:
        runs: how many it makes at most; None when nothing limits it.
        physics: as its command says it; empty of a command that is not ours.
    """

    path: Path
    config: dict[str, Any]
    runs: int | None
    physics: str = ""

    @property
    def metric(self) -> str:
        return str(self.config.get("metric", {}).get("name", "eval/score"))

    @property
    def command(self) -> str:
        """What every run executes, as it may be shown; `${args}` stands for the values that the sweep chooses."""
        words = shlex.join(str(word) for word in self.config["command"])
        return shown(re.sub(r"'(\$\{\w+\})'", r"\1", words), 300)


def read_sweep(path: Path, any_command: bool = False, gpu: bool = False) -> SweepFile:
    """Read and check a sweep file.

    Args:
        any_command: take a command that is neither `mesozoic sweep trial` nor `mesozoic train`, which cannot be checked
            as much.
        gpu: whether each agent has an NVIDIA GPU, where `--physics=auto` is another training than without one.

    Raises:
        UserError: it cannot be read, or agents could not run it: a sentence about each mistake.
    """
    try:
        config = parse_yaml(read_text(path, LARGEST))
    except ValueError as error:
        raise UserError(f"{path.name} is not valid YAML ({cause(error)}); correct it") from None
    where = path.name
    ours = not isinstance(config, dict) or command_words(config.get("command")) is not None
    search = read_wandb(config, where, any_name=any_command and not ours)
    words = _command_words(config.get("command"), where, any_command)
    sizes = [one for one in (search.run_cap, search.everywhere.combinations) if one is not None]
    found = SweepFile(path, config, min(sizes) if search.method == "grid" else search.run_cap)
    if words is None:
        return found
    _check_metric(config, where)
    try:
        spec = spec_of_words(trial_spec_words(without_macros(words)))
    except UserError as error:
        raise Problems(f"{where}: {sentence}" for sentence in sentences_of(error)) from None
    if wrong := space_problems(spec, search.everywhere.parameters, where, here=False, gpu=gpu):
        raise Problems(wrong)
    return replace(found, config={**config, "command": as_trial(config["command"], where)}, physics=spec.physics)


def _command_words(command: object, where: str, any_command: bool) -> list[str] | None:
    """What follows `mesozoic train` in the command; None if it is another one, and that is allowed.

    Refuses a command that would run something else, or start nothing.
    """
    words = [str(word) for word in command] if isinstance(command, list) else []
    if not words:
        raise UserError(f"{where}: there is no command as a list of words; copy that of {SHIPPED}")
    after = command_words(command)
    if after is None:
        if any_command:
            return None
        raise UserError(
            f"{where}: command runs {shown(shlex.join(words))}, and does not begin with 'mesozoic train' or"
            f" 'mesozoic sweep trial'; copy the command of {SHIPPED}, or give --any-command to run this on every"
            " machine all the same"
        )
    if not any(word in ARGUMENTS for word in words):
        raise UserError(f"{where}: command lacks ${{args}}, so every run would be the same; add it at the end")
    return after


def _check_metric(config: dict[str, Any], where: str) -> None:
    metric = config.get("metric")
    name = metric.get("name") if isinstance(metric, dict) else None
    if name is None and config["method"] != "bayes":
        return
    if not isinstance(name, str) or not LOGGED.fullmatch(name):
        raise UserError(f"{where}: metric {shown(written(name))} is logged by no run; write eval/score")
