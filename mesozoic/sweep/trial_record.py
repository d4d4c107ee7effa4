"""`trial.json` in the folder of a trial: what was tried, what it reported, how it ended; the same for every engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mesozoic.errors import UserError, shown, written
from mesozoic.files import cause, read_json, write_json

FILE = "trial.json"
LARGEST = 4 << 20
"""Bytes; an evaluation takes about forty."""
State = Literal["running", "passed", "budget", "pruned", "failed", "pre-empted"]
OVER: tuple[State, ...] = ("passed", "budget", "pruned")
"""States that running the trial again does not change."""


@dataclass
class TrialRecord:
    """One trial.

    Attributes:
        id: given by its engine; empty of one that was started by hand.
        engine: local, wandb, vertex or none.
        point: what was searched, by path; spec: the whole training, with the point in its overrides.
        objective: see `objective.py`; seeds: trainings by which the point is judged.
        scores: seed's number, step and value of each evaluation.
        reports: what the engine was told: steps over all seeds, and the value at that time.
        results: what each seed that is over came to.
        state: how it ended: the gate passed (of every seed), the budget ended, pruned by its engine, failed, or
            pre-empted (run it again to go on).
        value: what it is worth in the end: the mean over seeds; lower: one-sided 95 % bound of that.
        starts: how often its process was started since its last report and ended badly.
    """

    id: str
    engine: str
    point: dict[str, Any]
    spec: dict[str, Any]
    objective: str
    seeds: int
    scores: list[tuple[int, int, float]] = field(default_factory=list)
    reports: list[tuple[int, float]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    state: State = "running"
    why: str = ""
    value: float | None = None
    lower: float | None = None
    seconds: float = 0.0
    starts: int = 0

    @property
    def last(self) -> tuple[int, float] | None:
        """The last report."""
        return self.reports[-1] if self.reports else None

    def save(self, folder: Path) -> None:
        """Write it, all of it or nothing."""
        write_json(folder / FILE, asdict(self))


def record_of(raw: Any) -> TrialRecord:
    """The record that a file holds, from its JSON.

    Raises:
        ValueError, TypeError: it is none.
    """
    record = TrialRecord(**raw)
    record.scores = [(int(seed), int(step), float(value)) for seed, step, value in record.scores]
    record.reports = [(int(step), float(value)) for step, value in record.reports]
    if record.state not in ("running", "failed", "pre-empted", *OVER) or not isinstance(record.point, dict):
        raise ValueError(f"its state is {shown(written(record.state), 40)}")
    record.results = [dict(one) for one in record.results]
    return record


def read_trial(folder: Path) -> TrialRecord | None:
    """The record of the trial in `folder`; None if there is none yet.

    Raises:
        UserError: it is damaged.
    """
    try:
        return record_of(read_json(folder / FILE, LARGEST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder / FILE} is damaged ({cause(error)}); move the folder away and run again") from None
