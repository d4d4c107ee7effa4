"""Whatever is typed or lies in a file: success, or exit code 2 with one sentence. `__main__.py` searches longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SECONDS = 20 * int(os.environ.get("MESOZOIC_FUZZ", "1"))
"""MESOZOIC_FUZZ multiplies the time, MESOZOIC_FUZZ_SEED chooses what is tried."""


@pytest.mark.e2e
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_no_input_is_met_by_a_traceback_or_a_wait(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="needs the extra [sweep]")
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    seed = os.environ.get("MESOZOIC_FUZZ_SEED", "6")  # the same inputs in every run, unless asked for others
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds", str(SECONDS), "--seed", seed],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS + 300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    assert "'accepted'" in done.stdout and "'refused'" in done.stdout


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--load", "pipe", "--output-dir", "out"],
        ["eval", "pipe"],
        ["eval", "/dev/zero"],
        ["render", "loop"],
        ["train", "ppo.net_arch={" + "a." * 20_000 + "a=1}"],
        ["train", "--seed", "1" * 5000],
        ["species", "check", "folder"],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_a_command_of_its_own_ends_in_one_sentence(arguments: list[str], tmp_path: Path) -> None:
    """The same as above in real processes, whose whole output is seen."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    command = [sys.executable, "-m", "mesozoic", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and len(done.stderr) < 320
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "loop", "pipe"]
