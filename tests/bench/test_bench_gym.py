"""`scripts/bench_gym.py` measures what Gymnasium gives, side by side, another checkout included."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "scripts" / "bench_gym.py")


def test_every_kind_has_a_line_with_its_speed() -> None:
    small = ["--worlds", "3", "--rounds", "1", "--seconds", "0.05", "--only", "one", "same", "sync"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *small, "--against", str(ROOT)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    title, *rows = done.stdout.splitlines()
    assert title.startswith("mesozoic/Velociraptor-Balance-v0, ")
    names = [f"one world of {ROOT}", "gymnasium.make, one world", "gymnasium.make_vec, 3 worlds, SameStep"]
    for name, row in zip([*names, "SyncVectorEnv, 8 worlds"], rows, strict=True):
        found = re.fullmatch(rf"{re.escape(name)} +(\d+) steps/s +([\d.]+) ms  x([\d.]+) of the first", row)
        assert found and all(float(number) > 0 for number in found.groups()), row
