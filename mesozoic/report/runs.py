"""Stages of runs as reports read them: configuration, result, metrics over time, and the policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesozoic.config import StageConfig, validate
from mesozoic.errors import UserError, shown, written
from mesozoic.files import cause, read_json
from mesozoic.policies import shipped_stages
from mesozoic.run.folder import StageFolder, begun_stages
from mesozoic.run.policy_source import policy_file
from mesozoic.run.provenance import record_of_training, source_name
from mesozoic.run.training_table import read_training
from mesozoic.species import load_stage, species_names

MOST_RUNS = 24


@dataclass(frozen=True, eq=False)
class StageRun:
    """One stage of one run.

    Attributes:
        source: as it was given; name: short, distinct among the runs of a report.
        folder: of the stage; None for a policy that lies in no run.
        policy: file of the policy that is reported, the final one if there is one; None before the first is saved.
        result: what `metrics.json` says, or what is recorded of a shipped policy; empty if nothing is.
        recorded: what `stage_config.json` says; empty without one.
        rows: of `training.csv`: the step and every metric that is a number.
    """

    source: Path
    name: str
    species: str
    config: StageConfig
    folder: Path | None = None
    policy: Path | None = None
    result: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, float]] = field(default_factory=list)

    @property
    def stage(self) -> int:
        return self.config.stage.number

    @property
    def seed(self) -> int | None:
        """Of the training; None if it is not recorded."""
        known = self.result.get("seed", self.recorded.get("identity", {}).get("seed"))
        return known if isinstance(known, int) else None


def read_runs(sources: Sequence[Path], stage: int | None = None) -> list[StageRun]:
    """All stages of the runs, those of the same stage of an animal side by side, in the order of the runs.

    Args:
        sources: run folders, stage folders, policy files or species whose policies ship.
        stage: only this one.

    Raises:
        UserError: one is none of these, has no such stage, or a file of it is damaged.
    """
    if not sources:
        raise UserError("there is no run; give at least one run folder, policy file or species")
    if len(sources) > MOST_RUNS:
        raise UserError(f"{len(sources)} runs are too many for one report; give at most {MOST_RUNS}")
    names = _names(sources)
    found: list[StageRun] = []
    for source, name in zip(sources, names, strict=True):
        here = _stages(source, name, stage)
        if not here:
            which = "" if stage is None else f" of stage {stage}"
            raise UserError(f"{shown(str(source), 120)} holds no run{which}; give a run folder, a policy or a species")
        found += here
    return sorted(found, key=lambda one: (one.species, one.stage))


def _names(sources: Sequence[Path]) -> list[str]:
    """A short name of each; where two have the same, with the folders as they were typed, or else numbered."""
    names = [source_name(source) for source in sources]
    if len(set(names)) < len(names) and not any(one.is_absolute() or ".." in one.parts for one in sources):
        names = [shown("/".join(one.parts[-3:]), 60) for one in sources]
    if len(set(names)) == len(names):
        return names
    return [f"{shown(name, 50)} ({number})" for number, name in enumerate(names, start=1)]


def _stages(source: Path, name: str, stage: int | None) -> list[StageRun]:
    if not source.exists() and str(source) in species_names():
        numbers = [number for number in shipped_stages(str(source)) if stage in (None, number)]
        return [_lone(source, name, policy_file(source, number), number) for number in numbers]
    if source.is_file():
        inside = source.parent.parent
        if source.parent.name == "models" and (inside / "stage_config.json").is_file():
            one = _in_folder(source, name, inside, source)
            return [one] if stage in (None, one.stage) else []
        one = _lone(source, name, source, None)
        return [one] if stage in (None, one.stage) else []
    folders = [source] if (source / "stage_config.json").is_file() else []
    if not folders and source.is_dir():
        folders = [StageFolder(source, number).path for number in begun_stages(source) if stage in (None, number)]
    runs = [_in_folder(source, name, folder, None) for folder in folders]
    return [one for one in runs if stage in (None, one.stage)]


def _lone(source: Path, name: str, file: Path, stage: int | None) -> StageRun:
    """A policy without a run around it."""
    from mesozoic.learn.policy import load_policy

    policy = load_policy(file)
    result = record_of_training(file)
    return StageRun(source, name, policy.species, load_stage(policy.species, policy.stage), policy=file, result=result)


def _in_folder(source: Path, name: str, folder: Path, policy: Path | None) -> StageRun:
    recorded = _table(folder / "stage_config.json")
    try:
        species = recorded["identity"]["species"]
        if not isinstance(species, str):
            raise ValueError("its species is no text")
        config = validate(recorded["config"], "stage_config.json", {})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{shown(str(folder / 'stage_config.json'), 120)} is damaged ({cause(error)})") from None
    files = StageFolder(folder.parent, config.stage.number)
    names = (files.final_policy.name, files.best_policy.name)
    policies = [policy] if policy else [folder / "models" / name for name in names]
    result = _table(folder / "metrics.json") if (folder / "metrics.json").is_file() else {}
    return StageRun(
        source=source,
        name=name,
        species=species,
        config=config,
        folder=folder,
        policy=next((path for path in policies if path.is_file()), None),
        result=result,
        recorded=recorded,
        rows=read_rows(folder / "training.csv"),
    )


def _table(path: Path) -> dict[str, Any]:
    """A table in a file, in which what reports read has its type where it is there.

    Raises:
        UserError: it cannot be read, or something in it is of another type.
    """
    try:
        found = read_json(path)
        if not isinstance(found, dict):
            raise ValueError("it holds no table")
        for name, kind in TYPES.items():
            if name in found and not isinstance(found[name], kind):
                raise ValueError(f"its '{name}' is {shown(written(found[name]), 40)}")
        for row in found.get("gate", []):
            if not _criterion(row):
                raise ValueError(f"a criterion of its gate is {shown(written(row), 60)}")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{shown(str(path), 120)} cannot be read ({cause(error)}); use another copy of the run"
        ) from None
    return found


TYPES = {
    **dict.fromkeys(("identity", "config", "versions", "seconds", "baselines", "evaluation"), dict),
    "gate": list,
    "stage_passed": bool,
}
"""Of what reports read in a run's files."""


def _criterion(row: object) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and all(isinstance(row.get(key), int | float) for key in ("value", "threshold"))
        and isinstance(row.get("passed"), bool)
    )


def read_rows(path: Path) -> list[dict[str, float]]:
    """The rows of a `training.csv` in order: `step`, and what else is a finite number. Empty if there is no file.

    Raises:
        UserError: it cannot be read.
    """
    if not path.exists():
        return []
    try:
        rows = read_training(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{shown(str(path), 120)} cannot be read ({cause(error)}); use another copy of the run"
        ) from None
    return [
        {name: value for name, text in row.items() if name and (value := _number(text)) is not None} for row in rows
    ]


def _number(text: object) -> float | None:
    try:
        value = float(text) if isinstance(text, str) and text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
