"""Real SkyPilot on a real Slurm cluster on this machine: everything a user types, end to end. Needs root and apt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "e2e_cloud.sh"
HOURS = 3600
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to run Slurm's daemons"
)
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get, to install Slurm")


def run(*options: str, limit: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPT), *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit
    )


def left_behind() -> set[str]:
    return {str(folder) for folder in Path("/var/tmp").glob("mesozoic-e2e.*")}


@pytest.mark.e2e
@pytest.mark.root
@needs_root
@needs_apt
@pytest.mark.parametrize("cloud", ["slurm", "lambda"])
def test_rented_machine(cloud: str) -> None:
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    before = left_behind()
    done = run("--cloud", cloud, "--venv", sys.prefix, limit=4 * HOURS)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "FAIL" not in done.stdout and done.stdout.count("PASS") >= 5
    assert left_behind() <= before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "launhc"), "no step 'launhc' on slurm"),
        (("--cloud", "azure"), "no cloud 'azure'"),
        (("--frobnicate",), "no option '--frobnicate'"),
        (("--venv",), "--venv needs a value"),
    ],
)
def test_refusals_start_nothing(options: tuple[str, ...], words: str) -> None:
    before = left_behind()
    done = run(*options, limit=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and words in done.stderr
    assert left_behind() <= before
