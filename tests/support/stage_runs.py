"""What the tests of a whole stage share: how they look at its folder, listen to it and stand in for its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mesozoic.learn.kinds import LearnerKind
from mesozoic.run.display import Quiet
from mesozoic.run.folder import StageFolder
from mesozoic.run.sinks import Outcome, Place, Sink
from mesozoic.run.stage_spec import StageSpec

MakeSpec = Callable[..., StageSpec]
Done = tuple[StageFolder, dict[str, Any], list[bool]]


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        pytest.fail("it trained again")

    monkeypatch.setattr(LearnerKind, "make", fail)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Lines(Quiet):
    """A reporter that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


class Watched(Sink):
    """A sink that notes how it ends."""

    def __init__(self, place: Place) -> None:
        self.place, self.steps, self.outcomes = place, [], []

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps.append(step)
        if step == 128 and self.stop_at_128:
            self.place.stop("enough")

    stop_at_128 = False

    def close(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
