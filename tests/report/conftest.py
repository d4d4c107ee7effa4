"""A finished run with made-up curves, small enough that its report takes a moment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

OLD_RUN = Path(__file__).parents[1] / "run" / "old_run"


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder of that name and seed; its success rises to `best`, with a last line that was torn."""

    def make(name: str = "run", seed: int = 0, best: float = 0.8, steps: int = 5) -> Path:
        run = tmp_path / name
        shutil.copytree(OLD_RUN, run)
        stage = run / "stage1"
        for file in ("metrics.json", "stage_config.json"):
            found = json.loads((stage / file).read_text())
            found["identity"]["seed"] = found["seed"] = seed
            (stage / file).write_text(json.dumps(found))
        lines = ["step,stage1/eval/success,stage1/eval/avg_reward,stage1/train/entropy"]
        for i in range(1, steps + 1):
            lines += [f"{1000 * i - 500},,,{-i}", f"{1000 * i},{best * i / steps},{100.0 * i},"]
        (stage / "training.csv").write_text("\n".join(lines) + "\n9000,0.99")
        return run

    return make
