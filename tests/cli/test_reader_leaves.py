"""`mesozoic ... | head -1` ends as other programs do, and not with the code of a gate that did not pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EVAL = ("eval", "trex", "--stage", "1", "--episodes", "4")


def run(folder: Path, *words: str, errors_too: bool = False) -> tuple[int, str]:
    """Exit code and errors of a command whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "mesozoic", *words]
    errors = writer if errors_too else subprocess.PIPE
    done = subprocess.run(command, stdout=writer, stderr=errors, text=True, cwd=folder, timeout=120)
    os.close(writer)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "words", [("species",), ("--help",), ("train", "--help"), EVAL, (*EVAL, "--json")], ids=" ".join
)
def test_nobody_reads_the_output(words: tuple[str, ...], tmp_path: Path) -> None:
    assert run(tmp_path, *words) == (141, "")


def test_nobody_reads_what_is_wrong(tmp_path: Path) -> None:
    assert run(tmp_path, "train", "nonsense=1", errors_too=True)[0] == 141


def test_a_gate_that_is_not_passed_is_still_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mesozoic", *EVAL[:3], "1", "--check", "curriculum.eval_episodes=64"]
    strict = "curriculum.min_avg_reward=1e6"
    done = subprocess.run([*command, strict], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
