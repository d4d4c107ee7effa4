"""A trial whose folder lies in a mounted bucket: no directory is renamed, nothing is locked, and it goes on anyway."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mesozoic.sweep.trial_record import read_trial

SOURCE = Path(__file__).parents[1] / "support" / "poor_mount.c"
WORDS = (
    "--timesteps=2048",
    "--n-envs=8",
    "--eval-freq=256",
    "--save-freq=256",
    "--override=env.max_episode_steps=20",
    "--override=ppo.n_steps=8",
    "--override=ppo.batch_size=32",
    "--override=curriculum.eval_episodes=8",
    "--override=curriculum.min_success_low=0",
    "--override=curriculum.min_avg_episode_length=0",
    "--override=curriculum.min_avg_reward=1e9",
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"),
]


@pytest.fixture
def mounted(tmp_path: Path) -> dict[str, str]:
    """The environment in which `tmp_path/gcs` is a mounted bucket."""
    library = tmp_path / "poor_mount.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    (tmp_path / "gcs").mkdir()
    own = {"LD_PRELOAD": str(library), "POOR_MOUNT": str(tmp_path / "gcs"), "POOR_MOUNT_LOG": str(tmp_path / "refused")}
    return {**os.environ, **own}


def trial(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mesozoic", "sweep", "trial", "--ppo_learning_rate=1e-4", *WORDS]
    return subprocess.Popen(
        [*command, f"--output-dir={folder}"],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_trial_begins_is_cut_off_and_goes_on(mounted: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "gcs" / "sweeps" / "velociraptor" / "stage1" / "1"
    first = trial(folder, mounted)
    deadline = time.monotonic() + 300
    while not list(folder.glob("seed0/stage1/checkpoints/*.checkpoint")):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGTERM)
    out = first.communicate(timeout=300)[0]
    assert first.returncode == 128 + signal.SIGTERM, out
    second = trial(folder, mounted)
    out = second.communicate(timeout=300)[0]
    assert second.returncode == 0 and "going on from the checkpoint at" in out, out
    record = read_trial(folder)
    assert record is not None and record.state == "budget"
    assert (folder / "models" / "stage1_final.zip").is_file()
    refused = (tmp_path / "refused").read_text().splitlines()
    assert {line.split()[0] for line in refused} == {"flock"}, "nothing but the lock was asked for, and done without"
    assert not list((tmp_path / "gcs").rglob("*.tmp"))


def test_the_mount_is_as_poor_as_that(mounted: dict[str, str], tmp_path: Path) -> None:
    """Else the other test would show nothing."""
    (tmp_path / "gcs" / "folder").mkdir()
    program = "import os, sys; os.rename(sys.argv[1], sys.argv[2])"
    words = [str(tmp_path / "gcs" / name) for name in ("folder", "other")]
    done = subprocess.run([sys.executable, "-c", program, *words], env=mounted, capture_output=True, text=True)
    assert done.returncode == 1 and "Function not implemented" in done.stderr
