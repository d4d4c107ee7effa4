"""Follows a training for a page: its newest policy, its curves, and what is missing to its gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mesozoic import task
from mesozoic.config import StageConfig, validate
from mesozoic.curricula.gate import Criterion
from mesozoic.errors import UserError, shown
from mesozoic.files import cause, read_json
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.page.parcel import Playable, stage_parcel
from mesozoic.run.checkpoint import checkpoints
from mesozoic.run.checkpoint_file import Damaged, read_file
from mesozoic.run.folder import StageFolder, begun_stages
from mesozoic.run.provenance import source_name
from mesozoic.run.training_table import read_training
from mesozoic.species import Species, get_species
from mesozoic.species.anatomy import anatomy_of

CURVES = ("success", "success_low", "survival", "score", "avg_episode_length", "avg_reward")
"""Figures of the evaluations that are drawn."""
MOST_POINTS = 400
Stamp = tuple[tuple[str, int, int], ...]
"""Name, time and size of files: whether anything has changed."""


class Follower:
    """Tells what is new in a run folder.

    Args:
        run: a run folder; stage: which of its stages; default: the one that is trained now, and then the next.

    Raises:
        UserError: no training has begun there.
    """

    def __init__(self, run: Path, stage: int | None = None) -> None:
        self._run, self._stage = run, stage
        self._species: dict[str, tuple[Species, Any]] = {}
        self._packed: tuple[Stamp, dict[str, Any]] | None = None
        self.folder()

    def folder(self) -> StageFolder:
        """The stage that is followed now.

        Raises:
            UserError: there is none.
        """
        folders = [StageFolder(self._run, number) for number in begun_stages(self._run)]
        if self._stage is not None:
            folders = [one for one in folders if one.stage == self._stage]
        if not folders:
            which, number = ("", "") if self._stage is None else (f" of stage {self._stage}", f" --stage {self._stage}")
            raise UserError(
                f"no training{which} has begun in {shown(str(self._run), 120)};"
                f" begin one: mesozoic train{number} --output-dir {shown(str(self._run), 120)}"
            )
        return max(folders, key=lambda one: one.stage)

    def species(self) -> Species:
        """The animal that is trained."""
        return self._animal(self._record(self.folder())[0])[0]

    def play(self) -> Playable:
        """The newest policy on its stage; before the first one, the statue."""
        folder = self.folder()
        name, config = self._record(folder)
        species, anatomy = self._animal(name)
        file = _policy_file(folder)
        if file is None:
            return Playable(_statue(species, anatomy, folder.stage), config, "no checkpoint yet: it stands still")
        policy = load_policy(file)
        step = policy.info.get("step")
        return Playable(policy, config, f"after {step:,} steps" if isinstance(step, int) else file.name)

    def news(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What a page shows beside the animal; with `stage`, what it plays, unless it `has` that already.

        Files that are replaced just now, or are not there yet, are told of the next time; a sentence says why.
        """
        try:
            folder = self.folder()
            found = {"policy": _text(folder.stage, _policy_file(folder)), **self._progress(folder)}
            if asked.get("has") != found["policy"]:
                found["play"] = self._play_parcel(folder)
            return found
        except (UserError, OSError) as error:
            return {"problem": str(error)}

    def _play_parcel(self, folder: StageFolder) -> dict[str, Any]:
        stamp = (*_stamp(_policy_file(folder)), *_stamp(folder.config))
        if self._packed is None or self._packed[0] != stamp:
            species, anatomy = self._animal(self._record(folder)[0])
            self._packed = stamp, stage_parcel(species, anatomy, self.play())
        return self._packed[1]

    def _progress(self, folder: StageFolder) -> dict[str, Any]:
        """Steps, curves, gate."""
        _, config = self._record(folder)
        plan, loop = config.curriculum, _loop_of(folder)
        rows = _rows(folder)
        done = _result(folder)
        step = done.get("timesteps")
        verdict = [_criterion(one) for one in loop.get("verdict", [])]
        return {
            "run": source_name(self._run),
            "stage": folder.stage,
            "name": config.stage.name,
            "step": step if isinstance(step, int) else int(rows[-1]["step"]) if rows else 0,
            "budget": plan.timesteps,
            "passed": done.get("stage_passed"),
            "missing": [str(one) for one in verdict if one is not None and not one.passed],
            "judged": bool(verdict),
            "consecutive": int(loop.get("consecutive", 0)),
            "required": plan.required_consecutive,
            "curves": _curves(rows, folder.stage),
            "gates": {
                "success": plan.min_success or None,
                "success_low": plan.min_success_low or None,
                "avg_reward": plan.min_avg_reward or None,
                "avg_episode_length": plan.min_avg_episode_length or None,
            },
        }

    def _record(self, folder: StageFolder) -> tuple[str, StageConfig]:
        """The animal's name and the stage's configuration, as the training wrote them down.

        Raises:
            UserError: they cannot be read.
        """
        try:
            record = read_json(folder.config)
            return str(record["identity"]["species"]), validate(record["config"], folder.config.name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{folder.config} cannot be read ({cause(error)}); give another run folder") from None

    def _animal(self, name: str) -> tuple[Species, Any]:
        if name not in self._species:
            species = get_species(name)
            self._species[name] = species, anatomy_of(species, species.load_model())
        return self._species[name]


def _policy_file(folder: StageFolder) -> Path | None:
    """The newest policy: the last one of a training that is over, else that of the last checkpoint."""
    for file in (folder.final_policy, folder.newest_policy, folder.best_policy):
        if file.is_file():
            return file
    return None


def _statue(species: Species, anatomy: Any, stage: int) -> Policy:
    """A policy of the zero action."""
    layout = task.layout_of(anatomy)
    size = sum(block for _, block in layout)
    arrays = {
        "norm/mean": np.zeros(size, np.float32),
        "norm/std": np.ones(size, np.float32),
        "actor/0/kernel": np.zeros((size, anatomy.nu), np.float32),
        "actor/0/bias": np.zeros(anatomy.nu, np.float32),
    }
    return Policy(species.name, stage, layout, "elu", arrays)


def _loop_of(folder: StageFolder) -> dict[str, Any]:
    """What the newest whole checkpoint says of the last evaluation; only its header is read."""
    for path in reversed(checkpoints(folder.checkpoints)):
        try:
            loop = read_file(path, arrays=False)[1].get("loop")
        except Damaged:
            continue  # it is being replaced, or was cut: the one before tells
        if isinstance(loop, dict):
            return loop
    return {}


def _criterion(raw: Any) -> Criterion | None:
    try:
        return Criterion(str(raw["name"]), float(raw["value"]), float(raw["threshold"]), bool(raw["or_equal"]))
    except (KeyError, TypeError, ValueError):
        return None


def _result(folder: StageFolder) -> dict[str, Any]:
    try:
        result = read_json(folder.metrics)
    except (OSError, ValueError):  # the training is not over
        return {}
    return result if isinstance(result, dict) else {}


def _rows(folder: StageFolder) -> list[dict[str, str]]:
    """The table of metrics as far as it is written."""
    try:
        return read_training(folder.training)
    except (OSError, ValueError):
        return []


def _curves(rows: list[dict[str, str]], stage: int) -> dict[str, list[list[float]]]:
    """Name -> `[step, value]` of every evaluation."""
    curves: dict[str, list[list[float]]] = {}
    for name in CURVES:
        points = [[float(row["step"]), _number(row.get(f"stage{stage}/eval/{name}"))] for row in rows]
        known = [point for point in points if math.isfinite(point[1])]
        thin = max(1, math.ceil(len(known) / MOST_POINTS))
        if known:
            curves[name] = [*known[:-1:thin], known[-1]]
    return curves


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _stamp(path: Path | None) -> Stamp:
    if path is None:
        return ()
    facts = path.stat()
    return ((path.name, facts.st_mtime_ns, facts.st_size),)


def _text(stage: int, policy: Path | None) -> str:
    """A name of the policy of a stage: another one where anything of it has changed."""
    return "-".join(str(part) for part in (stage, *(fact for one in _stamp(policy) for fact in one)))
