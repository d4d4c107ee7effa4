"""How a stage ends before its time, and what its sinks hear of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.stage_runs import Lines, MakeSpec, Watched, raising

from mesozoic.errors import Interrupted, Stopped, UserError
from mesozoic.learn.kinds import LearnerKind
from mesozoic.learn.learner import Diverged
from mesozoic.run.checkpoint import checkpoints, read_manifest
from mesozoic.run.folder import StageFolder
from mesozoic.run.sinks import Place, Sink
from mesozoic.run.stop import TimeLimit
from mesozoic.run.train_stage import train_stage


def test_a_limit_of_time_stops_with_a_checkpoint(spec: MakeSpec, tmp_path: Path) -> None:
    folder, said = StageFolder(tmp_path, 1), Lines()
    over = TimeLimit(1.0, began=time.monotonic() - 3600.0)
    with pytest.raises(Stopped, match="limit of 1 hours is over") as caught:
        train_stage(spec(), tmp_path, limit=over, reporter=said)
    assert caught.value.exit_code == 75
    assert [read_manifest(path)["step"] for path in checkpoints(folder.checkpoints)] == [64]
    assert any("run again to go on" in line for line in said.lines)
    assert train_stage(spec(), tmp_path, limit=TimeLimit(1.0))["timesteps"] == 256


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_makes_no_sense_is_refused(hours: float) -> None:
    with pytest.raises(UserError, match="hours makes no sense"):
        TimeLimit(hours)


def test_sinks_are_told_how_the_run_ended(
    spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Watched] = []

    def opens(place: Place) -> Sink:
        opened.append(Watched(place))
        return opened[-1]

    after_updates(lambda learner: learner.step == 64 and os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        train_stage(spec(), tmp_path, sinks={"watched": opens})
    after_updates(lambda learner: raising(RuntimeError("a bug"))() if learner.step == 192 else None)
    with pytest.raises(RuntimeError, match="a bug"):
        train_stage(spec(), tmp_path, sinks={"watched": opens})
    monkeypatch.undo()
    train_stage(spec(), tmp_path, sinks={"watched": opens})
    assert [sink.outcomes for sink in opened] == [["preempted"], ["failed"], ["finished"]]
    assert [sink.place.step for sink in opened] == [0, 64, 128]
    assert sorted({*opened[1].steps}) == [128]


def test_a_sink_may_ask_the_run_to_stop(spec: MakeSpec, tmp_path: Path) -> None:
    def opens(place: Place) -> Sink:
        sink = Watched(place)
        sink.stop_at_128 = True
        return sink

    with pytest.raises(Stopped, match="stopped: enough"):
        train_stage(spec("curriculum.timesteps=100000"), tmp_path, sinks={"watched": opens})


def test_a_training_that_diverges_ends_with_a_checkpoint_and_says_so_to_its_sinks(
    spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Watched] = []
    real = LearnerKind.make

    def make(*args: Any) -> Any:
        learner = real(*args)
        learn = learner.learn

        def diverging(*args: Any) -> Any:
            if learner.step == 192:
                raise Diverged(learner.step, 3e-4, "the loss")
            return learn(*args)

        learner.learn = diverging  # type: ignore[method-assign]
        return learner

    monkeypatch.setattr(LearnerKind, "make", make)

    def opens(place: Place) -> Sink:
        opened.append(Watched(place))
        return opened[-1]

    with pytest.raises(Diverged, match=r"192 steps.*0\.0003") as caught:
        train_stage(spec(), tmp_path, sinks={"watched": opens})
    assert caught.value.exit_code == 2
    assert opened[0].outcomes == ["failed"]
    assert read_manifest(checkpoints(StageFolder(tmp_path, 1).checkpoints)[-1])["step"] == 192
    assert not StageFolder(tmp_path, 1).metrics.exists()
