"""A trial that another process still works on: engines wait for it to end, people are told."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from mesozoic.errors import UserError
from mesozoic.run.lock import file_lock
from mesozoic.sweep import trial_lock
from mesozoic.sweep.trial_lock import FILE, alone_in


def held_for(folder: Path, seconds: float) -> threading.Thread:
    """Another holder of a trial's folder, for a while; it has it when this returns."""
    folder.mkdir()
    has = threading.Event()

    def hold() -> None:
        with file_lock(folder / FILE):
            has.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    has.wait()
    return thread


def test_the_trial_of_an_engine_waits_for_the_one_that_was_asked_to_end(tmp_path: Path) -> None:
    """As after `kill -9` of a launcher, whose trials write checkpoints while the next launcher has them run again."""
    other = held_for(tmp_path / "1", 0.5)
    with alone_in(tmp_path / "1", of_engine=True):
        assert not other.is_alive() or other.join(0.1) is None
        began = time.monotonic()
        with pytest.raises(UserError, match="another process runs the trial in"), alone_in(tmp_path / "1", False):
            pass
        assert time.monotonic() - began < 0.2, "a person is told at once"
    other.join()


def test_it_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_lock, "GRACE", 0.3)
    other = held_for(tmp_path / "1", 1.0)
    sentence = r"another process runs the trial in .*; wait for it"
    with pytest.raises(UserError, match=sentence), alone_in(tmp_path / "1", of_engine=True):
        pass
    assert other.is_alive()
    other.join()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = r"cannot write to .*; give another --output-dir"
    with pytest.raises(UserError, match=sentence), alone_in(tmp_path / "file" / "trial", of_engine=True):
        pass
