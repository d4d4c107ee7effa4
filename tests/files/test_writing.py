"""A file is written whole or not at all, and what a killed process left beside it is removed by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mesozoic.files import aside_of, clear_asides, replacing, write_bytes
from mesozoic.files.writing import ABANDONED

KILLED = """
import os, signal, sys
from pathlib import Path
from mesozoic.files import replacing, writing
path = Path(sys.argv[1])
if sys.argv[2] == "replacing":
    with replacing(path) as aside:
        aside.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
writing.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
writing.write_bytes(path, b"half")
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("how", ["replacing", "write_bytes"])
@pytest.mark.parametrize("name", ["film.mp4", "n" * 240 + ".mp4"])
def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path, how: str, name: str) -> None:
    path = tmp_path / name
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), how], check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(names(tmp_path)) == 1, "what the one before left is gone, what this one left is there"
    (tmp_path / ".other.txt.tmp").write_text("not ours")
    if how == "replacing":
        with replacing(path) as aside:
            aside.write_bytes(b"whole")
    else:
        write_bytes(path, b"whole")
    assert names(tmp_path) == [".other.txt.tmp", name]
    assert path.read_bytes() == b"whole"


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    mine = aside_of(tmp_path / "film.mp4", ".mp4")
    theirs = mine.with_name(mine.name.replace(f"-{os.getpid()}.", f"-{os.getppid()}."))
    elsewhere = mine.with_name(".film.mp4.ffffff-1.tmp.mp4")
    for path in (mine, theirs, elsewhere):
        path.touch()
    clear_asides(tmp_path)
    assert {mine.name, theirs.name, elsewhere.name} == set(names(tmp_path))
    old = elsewhere.stat().st_mtime - ABANDONED - 1
    os.utime(elsewhere, (old, old))
    clear_asides(tmp_path)
    assert {mine.name, theirs.name} == set(names(tmp_path)), "of another machine: once it is a day old"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as aside:
            aside.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == ["film.mp4"]
    assert path.read_text() == "old"
