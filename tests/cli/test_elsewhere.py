"""Training, evaluating and drawing need nothing that is only there on POSIX; a lock and memory figures are for all."""

from __future__ import annotations

import errno
import subprocess
import sys
import types
from pathlib import Path

import pytest
from support import elsewhere

from mesozoic.errors import UserError
from mesozoic.rendering.gl import choose_gl
from mesozoic.run import lock, result
from mesozoic.run.lock import Held, file_lock

TINY = (
    *("--n-envs", "8", "--timesteps", "64", "ppo.n_steps=8", "ppo.batch_size=32", "env.max_episode_steps=20"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0"),
)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command where what only POSIX has is hidden."""
    command = [sys.executable, elsewhere.__file__, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("words", [("--help",), ("train", "--help"), ("species",), ("cloud", "--help")], ids=" ".join)
def test_commands_begin(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_policy_is_evaluated(tmp_path: Path) -> None:
    done = run(tmp_path, "eval", "trex", "--stage", "1", "--episodes", "4")
    assert done.returncode == 0, done.stderr


@pytest.mark.e2e
def test_train_go_on_curriculum_and_render(tmp_path: Path) -> None:
    for words in (
        ("train", *TINY, "--output-dir", "run"),
        ("train", *TINY, "--output-dir", "run"),
        ("curriculum", *TINY, "--target", "2", "--output-dir", "all"),
    ):
        done = run(tmp_path, *words)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "all" / "stage2" / "metrics.json").is_file()
    try:
        choose_gl()
    except UserError as error:
        pytest.skip(f"rendering cannot be tested on this machine: {error}")
    done = run(tmp_path, "render", "run", "--strip", "strip.png", "--no-video")
    assert done.returncode == 0, done.stderr


class FakeMsvcrt(types.SimpleNamespace):
    """Windows' lock: on bytes from where the file stands, refused with EACCES."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.taken: set[int] = set()

    def locking(self, handle: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        file = lock.os.fstat(handle).st_ino
        if file in self.taken:
            raise OSError(errno.EACCES, "Permission denied")
        self.taken.add(file)


def test_the_lock_of_windows_keeps_a_second_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", FakeMsvcrt())  # type: ignore[misc]
    monkeypatch.setattr(lock, "os", types.SimpleNamespace(**{**vars(lock.os), "name": "nt"}))
    with file_lock(tmp_path / "one"), pytest.raises(Held), file_lock(tmp_path / "one"):
        pytest.fail("it was held")
    with file_lock(tmp_path / "two"):
        pass


@pytest.mark.skipif(not hasattr(lock.os, "fork"), reason="needs POSIX locks")
def test_the_lock_of_posix_keeps_a_second_one_out(tmp_path: Path) -> None:
    with file_lock(tmp_path / "one"), pytest.raises(Held), file_lock(tmp_path / "one"):
        pytest.fail("it was held")
    with file_lock(tmp_path / "one"):
        pass


def test_memory_is_counted_in_the_unit_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: types.SimpleNamespace(ru_maxrss=512 << 20))
    monkeypatch.setitem(sys.modules, "resource", fake)  # type: ignore[misc]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert result.peak_memory_mb() == 512
    monkeypatch.setattr(sys, "platform", "linux")
    assert result.peak_memory_mb() == 512 << 10
    monkeypatch.setitem(sys.modules, "resource", None)
    assert result.peak_memory_mb() is None
