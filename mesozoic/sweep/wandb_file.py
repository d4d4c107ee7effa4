"""Reads a W&B sweep file and finds its mistakes before anything is created or rented."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, did_you_mean

METHODS = ("random", "grid", "bayes")
OWN_OPTIONS = ("seed", "timesteps", "n-envs", "eval-freq", "save-freq", "backend", "algorithm")
"""Options of `mesozoic train` that a sweep may vary beside the keys of a stage."""
LOGGED = re.compile(r"eval/score|stage[123]/.+")


@dataclass(frozen=True)
class SweepFile:
    """A sweep that was read and checked; `runs` is how many it makes at most, None when nothing limits it."""

    path: Path
    config: dict[str, Any]
    runs: int | None

    @property
    def metric(self) -> str:
        return str(self.config.get("metric", {}).get("name", "eval/score"))


def read_sweep(path: Path) -> SweepFile:
    """Read and check a sweep file.

    Raises:
        UserError: it cannot be read, or agents could not run it: one sentence about the first mistake.
    """
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot read the sweep {path} ({error.strerror}); give an existing file with --sweep"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is not valid YAML ({' '.join(str(error).split())}); correct it") from None
    if not isinstance(config, dict):
        raise UserError(f"{path.name} holds no sweep; copy cloud/sweep.yaml and change that")
    where = path.name
    if config.get("method") not in METHODS:
        raise UserError(f"{where}: method is {config.get('method')!r}; write one of {', '.join(METHODS)}")
    parameters = config.get("parameters")
    if not isinstance(parameters, dict) or not parameters:
        raise UserError(f"{where}: there are no parameters to vary; add for example ppo.learning_rate")
    species = _check_command(config.get("command"), where)
    _check_metric(config, where)
    for name, given in parameters.items():
        _check_parameter(str(name), given, species, where)
    return SweepFile(path, config, _run_limit(config, where))


def _check_command(command: object, where: str) -> str:
    """The species that the command trains; refuses a command that would start or report nothing."""
    from mesozoic.species import species_names

    words = [str(word) for word in command] if isinstance(command, list) else []
    if "mesozoic" not in words or "train" not in words:
        raise UserError(f"{where}: command does not run 'mesozoic train'; copy the command of cloud/sweep.yaml")
    if "--wandb" not in words:
        raise UserError(f"{where}: command lacks --wandb, so no run would report its score; add it")
    if not any(word in ("${args}", "${args_no_hyphens}") for word in words):
        raise UserError(f"{where}: command lacks ${{args}}, so every run would be the same; add it at the end")
    return next((word for word in words if word in species_names()), "velociraptor")


def _check_metric(config: dict[str, Any], where: str) -> None:
    metric = config.get("metric")
    name = metric.get("name") if isinstance(metric, dict) else None
    if name is None and config["method"] != "bayes":
        return
    if not isinstance(name, str) or not LOGGED.fullmatch(name):
        raise UserError(f"{where}: metric {name!r} is logged by no run; write eval/score")


def _check_parameter(name: str, given: object, species: str, where: str) -> None:
    """Try the least, the greatest and each listed value in a stage of the species."""
    from mesozoic.config import parse_flag
    from mesozoic.species import load_stage

    if not isinstance(given, dict) or not {"value", "values", "min", "max"} & set(given):
        raise UserError(f"{where}: parameter {name} says no value; write value, values, or min and max")
    values = list(_values(given))
    for key in ("min", "max"):
        bound = given.get(key)
        if key in given and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise UserError(
                f"{where}: {key} of {name} is {bound!r}, which YAML reads as no number; write 1.0e-4 for 1e-4"
            )
    if name in OWN_OPTIONS:
        return
    if "." not in name and "_" not in name:
        raise UserError(
            f"{where}: parameter '{name}' is no section.key and no option of train{did_you_mean(name, OWN_OPTIONS)}"
        )
    for value in values:
        try:
            override = parse_flag(name, str(value))
            if override is not None:
                load_stage(species, override.stage or 1, [override])
        except UserError as error:
            raise UserError(f"{where}: {error}") from None


def _values(given: dict[str, Any]) -> Iterator[object]:
    if "value" in given:
        yield given["value"]
    if isinstance(given.get("values"), list):
        yield from given["values"]
    yield from (given[key] for key in ("min", "max") if key in given)


def _run_limit(config: dict[str, Any], where: str) -> int | None:
    """How many runs the sweep makes at most."""
    cap = config.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        raise UserError(f"{where}: run_cap is {cap!r}; write a whole number of runs, at least 1")
    if config["method"] != "grid":
        return cap
    sizes = []
    for name, given in config["parameters"].items():
        if "value" not in given and not isinstance(given.get("values"), list):
            raise UserError(f"{where}: a grid cannot take {name} from a range; list its values")
        sizes.append(len(given.get("values", [None])))
    return min(math.prod(sizes), cap or math.prod(sizes))
