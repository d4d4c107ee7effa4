"""Reads the contents of a W&B sweep file: method, metric, parameters, early termination, limit and command."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mesozoic.errors import Problems, UserError, shown, written
from mesozoic.sweep.space import METHODS, Choice, Hyperband, Parameter, Range, Search, SearchFile, gather

MOST = 1e300
"""A bound of a range."""
FRONT = ("${env}", "/usr/bin/env")
"""What may stand before `mesozoic`: it looks for the program on the PATH."""
TRAIN, TRIAL = ["mesozoic", "train"], ["mesozoic", "sweep", "trial"]
ARGUMENTS = ("${args}", "${args_no_hyphens}", "${args_no_boolean_flags}")
"""W&B's macros for the values of a run."""
PLAIN = ("constant", "categorical", "int_uniform", "uniform", "log_uniform_values", "log_uniform")
STEPPED = {"q_uniform": "uniform"}
LOGS = ("log_uniform_values", "log_uniform")
SHIPPED = "configs/sweeps/velociraptor_balance.yaml"
EXAMPLE = f"copy {SHIPPED} and change that"


def read_wandb(config: object, where: str, any_name: bool = False) -> SearchFile:
    """What a sweep file says of a search.

    Args:
        config: its contents; where: its name.
        any_name: the command is not ours, so its parameters may be called anything.

    Raises:
        UserError: a sentence for everything that makes no sense.
    """
    if not isinstance(config, dict):
        raise UserError(f"{where} holds no sweep; {EXAMPLE}")
    wrong: list[str] = []
    method = config.get("method")
    if method not in METHODS:
        wrong.append(f"{where}: method is {shown(written(method))}; write one of {', '.join(METHODS)}")
        method = None
    parameters = read_parameters(config.get("parameters"), where, wrong, any_name)
    cap = run_cap(config, where, wrong)
    early = _early(config.get("early_terminate"), where, wrong)
    metric = config.get("metric")
    name = metric.get("name") if isinstance(metric, dict) else None
    if isinstance(metric, dict) and metric.get("goal", "maximize") != "maximize":
        goal = shown(written(metric["goal"]), 40)
        wrong.append(f"{where}: the goal of metric is {goal}; every score here is better the higher it is: maximize")
    if method == "grid":
        wrong += [
            f"{where}: a grid cannot take {one.path} from a range; list its values"
            for one in parameters
            if isinstance(one.domain, Range)
        ]
    if wrong:
        raise Problems(wrong)
    words = tuple(command_words(config.get("command")) or ())
    metric_name = name if isinstance(name, str) else None
    return SearchFile(where, Search(parameters), {}, method, metric_name, early, cap, words)


def command_words(command: object) -> list[str] | None:
    """What follows `mesozoic train` or `mesozoic sweep trial` in a sweep's command; None if it is another one."""
    words = [str(word) for word in command] if isinstance(command, list) else []
    start = 1 if words[:1] and words[0] in FRONT else 0
    for program in (TRAIN, TRIAL):
        if words[start : start + len(program)] == program:
            return words[start + len(program) :]
    return None


def is_trial(command: object) -> bool:
    """Whether a command is `mesozoic sweep trial`."""
    words = [str(word) for word in command] if isinstance(command, list) else []
    return TRIAL in (words[:3], words[1:4])


def trial_spec_words(words: Sequence[str]) -> list[str]:
    """The words of a trial as those of a training: without what only trials have."""
    found: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name not in ("--species", "--objective", "--seeds-per-trial"):
            found.append(word)
            continue
        value = value if equals else left.pop(0) if left else ""
        found += [value] if name == "--species" else []
    return found


def without_macros(words: Sequence[str]) -> list[str]:
    """The words that every run has: without those that W&B's agent replaces."""
    return [word for word in words if not (word.startswith("${") and word.endswith("}"))]


def run_cap(config: Mapping[str, Any], where: str, wrong: list[str]) -> int | None:
    """How many runs the sweep makes at most; None if the file does not say."""
    cap = config.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        wrong.append(f"{where}: run_cap is {shown(written(cap))}; write a whole number of runs, at least 1")
        return None
    return cap


def read_parameters(raw: object, where: str, wrong: list[str], any_name: bool = False) -> tuple[Parameter, ...]:
    """The parameters, nested ones as well; a sentence for each mistake is added to `wrong`."""
    if not isinstance(raw, dict) or not raw:
        wrong.append(f"{where}: there are no parameters to vary; add for example ppo.learning_rate")
        return ()
    return gather(_flat(raw), where, wrong, lambda name, entry: _domain(name, entry, where, wrong), any_name)


def _flat(raw: Mapping[Any, Any], before: str = "") -> list[tuple[str, Any]]:
    """Name -> entry; of nested parameters the names are joined by dots, as W&B does."""
    found: list[tuple[str, Any]] = []
    for name, entry in raw.items():
        inner = entry.get("parameters") if isinstance(entry, dict) else None
        if isinstance(inner, dict):
            found += _flat(inner, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", entry))
    return found


def _domain(name: str, entry: object, where: str, wrong: list[str]) -> Range | Choice | None:
    if not isinstance(entry, dict) or not {"value", "values", "min", "max"} & set(entry):
        wrong.append(f"{where}: parameter {shown(name)} says no value; write value, values, or min and max")
        return None
    if "probabilities" in entry:
        wrong.append(f"{where}: parameter {shown(name)} has probabilities, which are not read; leave them out")
        return None
    if "value" in entry:
        return Choice((entry["value"],))
    if "values" in entry:
        if not isinstance(entry["values"], list) or not entry["values"]:
            wrong.append(f"{where}: values of {shown(name)} is no list of values; write for example [1, 2, 3]")
            return None
        return Choice(tuple(entry["values"]))
    return _range(name, entry, where, wrong)


def _range(name: str, entry: Mapping[str, Any], where: str, wrong: list[str]) -> Range | None:
    before = len(wrong)
    for key in ("min", "max"):
        sentence = _bound_problem(name, key, entry, where)
        wrong += [sentence] if sentence else []
    if len(wrong) > before:
        return None
    low, high = entry["min"], entry["max"]
    kind = str(entry.get("distribution", "uniform"))
    step = entry.get("q") if kind in STEPPED else None
    kind = STEPPED.get(kind, kind)
    if kind not in PLAIN:
        known = ", ".join([*PLAIN[2:], *STEPPED])
        wrong.append(f"{where}: distribution of {shown(name)} is {shown(written(kind), 40)}; write one of {known}")
        return None
    if low >= high:
        wrong.append(f"{where}: min of {shown(name)} is {low} and not below its max {high}; correct them")
        return None
    if type(low) is not type(high):
        wrong.append(
            f"{where}: min of {shown(name)} is {low} and max is {high}: W&B wants both whole or both with a point;"
            f" write {float(low)} and {float(high)}"
        )
        return None
    if kind == "log_uniform":  # the bounds are exponents of e
        return Range(math.exp(min(low, 700.0)), math.exp(min(high, 700.0)), log=True)
    if kind in LOGS and low <= 0:
        wrong.append(f"{where}: min of {shown(name)} is {low} on a logarithmic scale; write one above 0")
        return None
    if step is not None and (isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step <= high - low):
        wrong.append(f"{where}: q of {shown(name)} is {shown(written(step), 40)}; write a step between its bounds")
        return None
    return Range(low, high, kind in LOGS, isinstance(low, int) and kind not in LOGS, step)


def _bound_problem(name: str, key: str, entry: Mapping[str, Any], where: str) -> str:
    bound = entry.get(key)
    if key not in entry:
        other = "max" if key == "min" else "min"
        return f"{where}: parameter {shown(name)} has {other} and no {key}; write both"
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        return (
            f"{where}: {key} of {shown(name)} is {shown(written(bound))}, which YAML reads as no number;"
            " write 1.0e-4 for 1e-4"
        )
    if not -MOST <= bound <= MOST:  # nor is it one that is not a number
        return f"{where}: {key} of {shown(name)} is {shown(written(bound), 40)}; write a number to vary by"
    return ""


def _early(raw: object, where: str, wrong: list[str]) -> Hyperband | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or raw.get("type") != "hyperband":
        wrong.append(f"{where}: early_terminate is {shown(written(raw))}; write type: hyperband, or leave it out")
        return None
    values = {}
    for key, default, least in (("min_iter", 1, 1), ("eta", 3, 2)):
        value = raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            wrong.append(f"{where}: {key} of early_terminate is {shown(written(value), 40)}; write {least} or more")
            value = default
        values[key] = value
    return Hyperband(**values) if "min_iter" in raw else Hyperband(_first_of(raw, where, wrong), values["eta"])


def _first_of(raw: Mapping[str, Any], where: str, wrong: list[str]) -> int:
    """W&B's other way to say `min_iter`: the last evaluation `max_iter`, and `s` brackets before it."""
    last, brackets, eta = raw.get("max_iter", 1), raw.get("s", 1), raw.get("eta", 3)
    if not all(type(one) is int and 1 <= one <= 10**6 for one in (last, brackets, eta)) or brackets > 20:
        wrong.append(f"{where}: early_terminate is {shown(written(raw))}; write for example min_iter: 2")
        return 1
    return int(max(1, last // eta**brackets))
