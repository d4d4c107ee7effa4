"""Whichever write fails for want of space, the previous contents are still there and whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesozoic.files import write_bytes, write_json
from mesozoic.run.checkpoint import checkpoints, load_state, newest, save_checkpoint

OLD: dict[str, Any] = {"w": np.arange(5.0), "n": 1}
NEW: dict[str, Any] = {"w": np.arange(9.0), "n": 2}
ENOUGH = 100


class Disk:
    """Counts everything that needs space, and refuses from the `allowed`-th request on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.allowed: int | None = None
        self.requests = 0
        for owner, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (os, "mkdir")):
            patch.setattr(owner, name, self._limited(getattr(owner, name)))
        opened, disk = Path.open, self

        def open_limited(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            file = opened(path, mode, *args, **kwargs)
            return Half(file, disk) if "w" in mode else file

        patch.setattr(Path, "open", open_limited)

    def check(self) -> None:
        self.requests += 1
        if self.allowed is not None and self.requests > self.allowed:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _limited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def limited(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return function(*args, **kwargs)

        return limited


class Half:
    """A file that takes half of the data before it fails."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: bytes) -> int:
        try:
            self._disk.check()
        except OSError:
            self._file.write(data[: len(data) // 2])
            raise
        return self._file.write(data)

    def __enter__(self) -> Half:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def fail_everywhere(disk: Disk, action: Callable[[], object], check: Callable[[bool], None]) -> int:
    """Do `action` with 0, 1, 2, ... requests allowed until it succeeds; `check(succeeded)` after each try."""
    for allowed in range(ENOUGH):
        disk.requests, disk.allowed = 0, allowed
        try:
            action()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            disk.allowed = None
            check(False)
        else:
            disk.allowed = None
            check(True)
            return allowed
    raise AssertionError("it never succeeds")


def test_a_checkpoint_is_there_whichever_write_fails(tmp_path: Path, disk: Disk) -> None:
    before, old = (save_checkpoint(tmp_path, step, OLD, {}) for step in (32, 64))
    outcomes = []

    def check(succeeded: bool) -> None:
        saved = newest(tmp_path)
        assert saved is not None and not saved.damaged
        expected = NEW if saved.state["n"] == 2 else OLD
        assert saved.state["w"].tobytes() == expected["w"].tobytes()
        assert sorted(tmp_path.iterdir()) == checkpoints(tmp_path), "nothing half written stays"
        assert old in checkpoints(tmp_path)
        outcomes.append(saved.state["n"])
        if succeeded:
            assert checkpoints(tmp_path) == [old, saved.path]
            assert saved.state["n"] == 2
        else:
            assert before in checkpoints(tmp_path)

    points = fail_everywhere(disk, lambda: save_checkpoint(tmp_path, 128, NEW, {}), check)
    assert points >= 5, "header, array, flush, rename, folder"
    assert outcomes.count(1) >= 4, "almost every failure comes before the new one is there"


def test_the_same_step_again_is_as_safe(tmp_path: Path, disk: Disk) -> None:
    save_checkpoint(tmp_path, 64, OLD, {})

    def check(succeeded: bool) -> None:
        (only,) = tmp_path.iterdir()
        assert load_state(only)["n"] == 2 if succeeded else load_state(only)["n"] in (1, 2)

    fail_everywhere(disk, lambda: save_checkpoint(tmp_path, 64, NEW, {}), check)


def test_after_a_full_disk_saving_works_again(tmp_path: Path, disk: Disk) -> None:
    save_checkpoint(tmp_path, 64, OLD, {})
    disk.requests, disk.allowed = 0, 2
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, 128, NEW, {})
    disk.allowed = None
    assert load_state(save_checkpoint(tmp_path, 128, NEW, {}))["n"] == 2


@pytest.mark.parametrize("write", [lambda path: write_bytes(path, b"new" * 99), lambda path: write_json(path, "new")])
def test_a_file_keeps_its_old_contents(tmp_path: Path, disk: Disk, write: Callable[[Path], None]) -> None:
    path = tmp_path / "metrics.json"
    path.write_bytes(b"old")

    def check(succeeded: bool) -> None:
        assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
        assert (path.read_bytes() == b"old") is not succeeded

    assert fail_everywhere(disk, lambda: write(path), check) >= 3
