"""The page's own program, in node: time, quality, camera, refusals; and falls, which Python does not simulate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from page.conftest import WEB
from support.golden import write_golden


def run_tests(node: str, *names: str, golden: Path | None = None) -> None:
    environment = {**os.environ, "GOLDEN": str(golden or "")}
    done = subprocess.run(
        [node, "test/run.mjs", *names], cwd=WEB, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "# pass " in done.stdout and "# pass 0" not in done.stdout


def test_time_quality_camera_and_refusals(node: str) -> None:
    run_tests(node, "pure")


@pytest.mark.parametrize("species", ["velociraptor", "trex", "brachiosaurus"])
def test_falls_by_hand_end_on_the_floor(node: str, tmp_path: Path, species: str) -> None:
    write_golden(tmp_path, species, (1,), 1, 1)
    run_tests(node, "physics", golden=tmp_path)
