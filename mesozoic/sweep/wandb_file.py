"""Reads a W&B sweep file and finds its mistakes before anything is created or rented."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mesozoic.errors import Problems, UserError, sentences_of, shown, written
from mesozoic.files import cause, parse_yaml, read_text

METHODS = ("random", "grid", "bayes")
LARGEST = 100_000
"""Bytes of a sweep file."""
MOST = 1e300
"""A bound of a range."""
FEW = 64
"""Combinations of values that are all tried."""
FRONT = ("${env}", "/usr/bin/env")
"""What may stand before `mesozoic`: it looks for the program on the PATH."""
LOGGED = re.compile(r"eval/score|stage[1-9][0-9]?/.+")


@dataclass(frozen=True)
class SweepFile:
    """A sweep that was read and checked; `runs` is how many it makes at most, None when nothing limits it."""

    path: Path
    config: dict[str, Any]
    runs: int | None

    @property
    def metric(self) -> str:
        return str(self.config.get("metric", {}).get("name", "eval/score"))

    @property
    def command(self) -> str:
        """What every run executes, as it may be shown; `${args}` stands for the values that the sweep chooses."""
        words = shlex.join(str(word) for word in self.config["command"])
        return shown(re.sub(r"'(\$\{\w+\})'", r"\1", words), 300)


def read_sweep(path: Path, any_command: bool = False) -> SweepFile:
    """Read and check a sweep file.

    Args:
        any_command: take a command that is not `mesozoic train`, which cannot be checked as much.

    Raises:
        UserError: it cannot be read, or agents could not run it: a sentence about each mistake.
    """
    try:
        config = parse_yaml(read_text(path, LARGEST))
    except ValueError as error:
        raise UserError(f"{path.name} is not valid YAML ({cause(error)}); correct it") from None
    if not isinstance(config, dict):
        raise UserError(f"{path.name} holds no sweep; copy cloud/sweep.yaml and change that")
    where = path.name
    if config.get("method") not in METHODS:
        raise UserError(f"{where}: method is {shown(written(config.get('method')))}; write one of {', '.join(METHODS)}")
    parameters = config.get("parameters")
    if not isinstance(parameters, dict) or not parameters:
        raise UserError(f"{where}: there are no parameters to vary; add for example ppo.learning_rate")
    words = _command_words(config.get("command"), where, any_command)
    _check_metric(config, where)
    given = {str(name): _values(str(name), value, where) for name, value in parameters.items()}
    wrong = [] if words is None else trial_problems(words, given)
    if wrong:
        raise Problems(f"{where}: {sentence}" for sentence in wrong)
    return SweepFile(path, config, _run_limit(config, where))


def _command_words(command: object, where: str, any_command: bool) -> list[str] | None:
    """What follows `mesozoic train` in the command; None if it is another one, and that is allowed.

    Refuses a command that would run something else, start nothing or report nothing.
    """
    words = [str(word) for word in command] if isinstance(command, list) else []
    if not words:
        raise UserError(f"{where}: there is no command as a list of words; copy the command of cloud/sweep.yaml")
    start = 1 if words[0] in FRONT else 0
    if words[start : start + 2] != ["mesozoic", "train"]:
        if any_command:
            return None
        raise UserError(
            f"{where}: command runs {shown(shlex.join(words))}, and does not begin with 'mesozoic train'; copy the"
            " command of cloud/sweep.yaml, or give --any-command to run this on every machine all the same"
        )
    if "--wandb" not in words:
        raise UserError(f"{where}: command lacks --wandb, so no run would report its score; add it")
    if not any(word in ARGUMENTS for word in words):
        raise UserError(f"{where}: command lacks ${{args}}, so every run would be the same; add it at the end")
    return words[start + 2 :]


def _check_metric(config: dict[str, Any], where: str) -> None:
    metric = config.get("metric")
    name = metric.get("name") if isinstance(metric, dict) else None
    if name is None and config["method"] != "bayes":
        return
    if not isinstance(name, str) or not LOGGED.fullmatch(name):
        raise UserError(f"{where}: metric {shown(written(name))} is logged by no run; write eval/score")


def trial_problems(words: Sequence[str], parameters: Mapping[str, Sequence[object]]) -> list[str]:
    """Everything that is wrong with a run that this sweep could start, a sentence each.

    Every value of each parameter is tried beside the first value of the others; all combinations, if there are few.

    Args:
        words: what follows `mesozoic train` in the command, W&B's macros among them.
        parameters: values to try of each.
    """
    from mesozoic.run.problems import problems
    from mesozoic.run.words import spec_of_words

    found: dict[str, None] = {}
    for trial in _trials(parameters):
        try:
            found |= dict.fromkeys(problems(spec_of_words(_filled_in(words, trial)), here=False))
        except UserError as error:
            found |= dict.fromkeys(sentences_of(error))
    return list(found)


def _trials(parameters: Mapping[str, Sequence[object]]) -> Iterator[dict[str, object]]:
    names, first = list(parameters), {name: values[0] for name, values in parameters.items()}
    if math.prod(len(values) for values in parameters.values()) <= FEW:
        for chosen in product(*parameters.values()):
            yield dict(zip(names, chosen, strict=True))
        return
    yield first
    for name, values in parameters.items():
        for value in values[1:]:
            yield {**first, name: value}


def _filled_in(words: Sequence[str], trial: Mapping[str, object]) -> list[str]:
    """The words as W&B's agent hands them over."""
    filled: list[str] = []
    for word in words:
        if word in ARGUMENTS:
            filled += ARGUMENTS[word](trial)
        elif not re.fullmatch(r"\$\{.*\}", word):
            filled.append(word)
    return filled


def _with_switches(trial: Mapping[str, object]) -> list[str]:
    return [
        f"--{name}" if value is True else f"--{name}={value}" for name, value in trial.items() if value is not False
    ]


ARGUMENTS: dict[str, Callable[[Mapping[str, object]], list[str]]] = {
    "${args}": lambda trial: [f"--{name}={value}" for name, value in trial.items()],
    "${args_no_hyphens}": lambda trial: [f"{name}={value}" for name, value in trial.items()],
    "${args_no_boolean_flags}": _with_switches,
}
"""W&B's macros for the values of a run, and what it makes of them."""


def _values(name: str, given: object, where: str) -> list[object]:
    """The values of a parameter to try: those that are listed, the least, the greatest and one between."""
    if not isinstance(given, dict) or not {"value", "values", "min", "max"} & set(given):
        raise UserError(f"{where}: parameter {shown(name)} says no value; write value, values, or min and max")
    found: list[object] = [given["value"]] if "value" in given else []
    if "values" in given:
        if not isinstance(given["values"], list) or not given["values"]:
            raise UserError(f"{where}: values of {shown(name)} is no list of values; write for example [1, 2, 3]")
        found += given["values"]
    bounds = [given[key] for key in ("min", "max") if key in given]
    for key in ("min", "max"):
        bound = given.get(key)
        if key in given and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise UserError(
                f"{where}: {key} of {shown(name)} is {shown(written(bound))}, which YAML reads as no number;"
                " write 1.0e-4 for 1e-4"
            )
        if isinstance(bound, int | float) and not -MOST <= bound <= MOST:  # nor is it one that is not a number
            raise UserError(
                f"{where}: {key} of {shown(name)} is {shown(written(bound), 40)}; write a number to vary by"
            )
    if len(bounds) == 2 and bounds[0] >= bounds[1]:
        raise UserError(f"{where}: min of {shown(name)} is {bounds[0]} and not below its max {bounds[1]}; correct them")
    if str(given.get("distribution", "")) in ("log_uniform", "q_log_uniform"):  # the bounds are exponents of e
        bounds = [math.exp(min(bound, 700.0)) for bound in bounds]
    if len(bounds) == 2 and any(isinstance(bound, float) for bound in bounds) and "q" not in given:
        bounds.append(bounds[0] + (bounds[1] - bounds[0]) * 0.381966)  # a range of floats is one of floats only
    return found + bounds


def _run_limit(config: dict[str, Any], where: str) -> int | None:
    """How many runs the sweep makes at most."""
    cap = config.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        raise UserError(f"{where}: run_cap is {shown(written(cap))}; write a whole number of runs, at least 1")
    if config["method"] != "grid":
        return cap
    sizes = []
    for name, given in config["parameters"].items():
        if "value" not in given and not isinstance(given.get("values"), list):
            raise UserError(f"{where}: a grid cannot take {name} from a range; list its values")
        sizes.append(len(given.get("values", [None])))
    return min(math.prod(sizes), cap or math.prod(sizes))
