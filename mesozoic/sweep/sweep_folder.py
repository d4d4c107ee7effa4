"""The folder of a sweep: `sweep.json`, what is searched; `stageN/ID`, the trials; the journal of the local engine.

Agents of a W&B sweep, which is of one stage, leave the trials in the folder itself.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown
from mesozoic.files import cause, read_json, write_json
from mesozoic.run.folder import choose_run_folder
from mesozoic.sweep.trial_record import FILE as TRIAL_FILE
from mesozoic.sweep.trial_record import TrialRecord, read_trial

FILE = "sweep.json"
LARGEST = 4 << 20
"""Bytes; ours has a few thousand a stage."""


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)


@dataclass(frozen=True)
class SweepFolder:
    """Where the files of one sweep lie.

    Attributes:
        warn: hears of what is left out, because it is damaged.
    """

    path: Path
    warn: Callable[[str], object] = field(default=_warn, compare=False, repr=False)

    def trials(self, stage: int) -> Path:
        """The folder of the trials of a stage."""
        return self.path if self._of_agents() else self.path / f"stage{stage}"

    def _of_agents(self) -> bool:
        return next(self.path.glob(f"*/{TRIAL_FILE}"), None) is not None

    def begin(self, stage: int, identity: dict[str, Any]) -> None:
        """Write down what is searched in a stage, or see that it is the same as before.

        Raises:
            UserError: another sweep lies there, or the folder cannot be written.
        """
        if self._of_agents():
            raise UserError(f"{self.path} holds runs of W&B's agents; give another --output-dir")
        wanted = json.loads(json.dumps(identity))
        try:
            known = read_json(self.path / FILE, LARGEST) if (self.path / FILE).exists() else {}
            there = known.get(f"stage{stage}")
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(
                f"{self.path / FILE} is damaged ({cause(error)}); move it away, or give another --output-dir"
            ) from None
        if there == wanted:
            return
        if there is not None:
            raise UserError(
                f"{self.path} holds another sweep of stage {stage} ({_difference(there, wanted)}); give another"
                " --output-dir"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.path / FILE, {**known, f"stage{stage}": wanted})
        except OSError as error:
            raise UserError(f"cannot write to {self.path} ({error.strerror}); give another --output-dir") from None

    def records(self, stage: int) -> dict[str, TrialRecord]:
        """Trial -> its record, of a stage; damaged ones are left out, and said."""
        found, damaged = _read(self.trials(stage))
        if damaged:
            more = "" if len(damaged) == 1 else f"; {len(damaged) - 1} more are damaged"
            self.warn(f"a trial of stage {stage} is left out: {damaged[0]}{more}")
        return {name: record for name, record in found.items() if record.spec.get("stage") == stage}

    def note_crash(self, stage: int, name: str, why: str) -> None:
        """Write down that a trial failed whose process could not do so itself."""
        place = self.trials(stage) / name
        with suppress(UserError, OSError):
            record = read_trial(place)
            if record is not None:
                record.state, record.why = "failed", why
                record.save(place)

    def stages(self) -> list[int]:
        """The stages that have trials."""
        if self._of_agents():
            found = {record.spec.get("stage") for record in _read(self.path)[0].values()}
            return sorted(stage for stage in found if isinstance(stage, int))
        names = (
            [re.fullmatch(r"stage([1-9][0-9]?)", one.name) for one in self.path.iterdir()] if self.path.is_dir() else []
        )
        return sorted(int(name[1]) for name in names if name is not None)


def _read(folder: Path) -> tuple[dict[str, TrialRecord], list[str]]:
    """The trials in a folder by name, and what is wrong with the damaged ones."""
    found = {}
    damaged: list[str] = []
    for place in sorted(folder.iterdir(), key=lambda one: (len(one.name), one.name)) if folder.is_dir() else ():
        if (place / TRIAL_FILE).is_file():
            try:
                record = read_trial(place)
            except UserError as error:
                damaged.append(str(error))
                continue
            if record is not None:
                found[place.name] = record
    return found, damaged


def new_sweep_folder(species: str, stage: int | None = None) -> Path:
    """Where a sweep goes if nobody says."""
    what = species if stage is None else f"{species}-stage{stage}"
    return choose_run_folder(None, None, f"sweep-{what}")


def _difference(then: Any, now: dict[str, Any]) -> str:
    if not isinstance(then, dict):
        return "it is damaged"
    for name in now:
        if then.get(name) != now[name]:
            if isinstance(now[name], dict) and isinstance(then.get(name), dict):
                for key in sorted({*now[name], *then[name]}):
                    if then[name].get(key) != now[name].get(key):
                        return f"{key} was {shown(then[name].get(key))}, is {shown(now[name].get(key))}"
            return f"{name} was {shown(then.get(name))}, is {shown(now[name])}"
    return "it has other keys"
