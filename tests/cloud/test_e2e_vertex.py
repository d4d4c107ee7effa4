"""Everything that a user types for Vertex AI, against stand-ins on this machine whose jobs really train."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "e2e_vertex.sh"

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="needs a checkout")


def run(folder: Path, *options: str, limit: float) -> subprocess.CompletedProcess[str]:
    words = ["bash", str(SCRIPT), "--venv", sys.prefix, *options]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(folder), "HOME": str(folder)}
    return subprocess.run(
        words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit
    )


@pytest.mark.e2e
@pytest.mark.slow
def test_submit_sweep_chain_and_results(tmp_path: Path) -> None:
    for package in ("google.cloud.aiplatform_v1", "gcsfs", "hypertune"):
        pytest.importorskip(package, reason="needs the extra [vertex]")
    pytest.importorskip("optuna", reason="needs the extra [sweep]")
    done = run(tmp_path, limit=3600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "FAIL" not in done.stdout and done.stdout.count("PASS") >= 10
    assert list(tmp_path.glob("mesozoic-e2e-vertex.*")) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "sumbit"), "no step 'sumbit'"),
        (("--frobnicate",), "no option '--frobnicate'"),
        (("--only",), "--only needs a value"),
    ],
)
def test_refusals_start_nothing(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = run(tmp_path, *options, limit=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and words in done.stderr
    assert list(tmp_path.glob("mesozoic-e2e-vertex.*")) == []
