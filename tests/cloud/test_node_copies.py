"""`cloud/node_copies.py`: a bucket that got half a checkpoint still leads to a whole one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mesozoic.run.checkpoint import checkpoints, load_state, save_checkpoint

SCRIPT = Path(__file__).parents[2] / "cloud" / "node_copies.py"

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="needs a checkout")


@pytest.fixture(scope="module")
def copies() -> ModuleType:
    spec = importlib.util.spec_from_file_location("node_copies", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(run: Path, step: int, stage: int = 1) -> Path:
    return save_checkpoint(run / f"stage{stage}" / "checkpoints", step, {"w": np.arange(9.0), "step": step}, {})


def steps(run: Path, stage: int = 1) -> list[int]:
    return [load_state(path)["step"] for path in checkpoints(run / f"stage{stage}" / "checkpoints")]


@pytest.mark.parametrize("lost", [("manifest.json",), ("arrays.npz",), ("state.json", "arrays.npz"), ()])
def test_the_machine_goes_before_the_newest_checkpoint_has_arrived(
    copies: ModuleType, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    save(tmp_path, 100)
    copies.copy_new(tmp_path)
    newest = save(tmp_path, 200)  # and the one before is gone at once
    for name in lost or ("arrays.npz", "manifest.json", "state.json"):
        (newest / name).unlink()
    if not lost:
        newest.rmdir()  # nothing of it has arrived
    copies.restore(tmp_path)
    assert steps(tmp_path) == [100]


def test_a_file_that_arrived_in_part(copies: ModuleType, tmp_path: Path) -> None:
    save(tmp_path, 100)
    copies.copy_new(tmp_path)
    newest = save(tmp_path, 200)
    (newest / "arrays.npz").write_bytes((newest / "arrays.npz").read_bytes()[:50])
    for _ in range(2):
        copies.restore(tmp_path)
        assert steps(tmp_path) == [100]


def test_the_newest_copy_may_be_of_no_use(copies: ModuleType, tmp_path: Path) -> None:
    for step in (100, 200):
        save(tmp_path, step)
        copies.copy_new(tmp_path)
    shutil.rmtree(tmp_path / "stage1" / "checkpoints")
    newest = copies.copies(tmp_path, "stage1")[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    copies.restore(tmp_path)
    assert steps(tmp_path) == [100]


def test_a_python_from_before_extraction_filters(
    copies: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.11.0 to 3.11.3, Debian 12's among them, have neither the functions nor the argument."""
    extract = tarfile.TarFile.extractall
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda archive, path: extract(archive, path))
    save(tmp_path, 100)
    copies.copy_new(tmp_path)
    shutil.rmtree(tmp_path / "stage1" / "checkpoints")
    copies.restore(tmp_path)
    assert steps(tmp_path) == [100]


def test_a_whole_checkpoint_is_left_alone(copies: ModuleType, tmp_path: Path) -> None:
    save(tmp_path, 100)
    copies.copy_new(tmp_path)
    save(tmp_path, 200)
    copies.restore(tmp_path)
    assert steps(tmp_path) == [200]


def test_two_copies_stay_for_each_stage_and_none_when_it_is_over(copies: ModuleType, tmp_path: Path) -> None:
    for step in (100, 200, 300):
        for stage in (1, 2):
            save(tmp_path, step, stage)
        copies.copy_new(tmp_path)
        copies.copy_new(tmp_path)
    assert [path.name[-7:-4] for path in copies.copies(tmp_path, "stage2")] == ["200", "300"]
    (tmp_path / "stage1" / "metrics.json").write_text("{}")
    copies.copy_new(tmp_path)
    assert copies.copies(tmp_path, "stage1") == []
    assert len(copies.copies(tmp_path, "stage2")) == 2


def test_nothing_to_do(copies: ModuleType, tmp_path: Path) -> None:
    copies.restore(tmp_path / "no such run")
    copies.copy_new(tmp_path / "no such run")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_vanishes_meanwhile(
    copies: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training removes it when the next one is there, at any moment."""
    path = save(tmp_path, 100)
    look = copies.read_manifest
    monkeypatch.setattr(copies, "read_manifest", lambda where: (shutil.rmtree(path), look(where)))
    copies.copy_new(tmp_path)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


MOUNT = """--daemon --daemon-wait 120s --vfs-cache-mode full --dir-cache-time 10s --vfs-cache-poll-interval 10s
 --vfs-fast-fingerprint --vfs-cache-max-size 10G --transfers 1 --vfs-write-back 1s"""
"""As SkyPilot mounts a bucket with MOUNT_CACHED and the options in `train-managed.yaml`, but more patiently."""


@pytest.mark.e2e
@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse")
def test_a_real_mount_that_dies(copies: ModuleType, tmp_path: Path) -> None:
    """The newest checkpoint has not arrived, the one before is gone, and the machine's cache goes with the machine."""
    rclone = shutil.which("rclone") or pytest.skip("rclone is not installed")
    bucket, mount = tmp_path / "bucket", tmp_path / "mount"
    bucket.mkdir(), mount.mkdir()
    run = mount / "run"

    def mounted(cache: str) -> int:
        options = [*MOUNT.split(), "--cache-dir", str(tmp_path / cache), "--config", "/dev/null"]
        subprocess.run([rclone, "mount", str(bucket), str(mount), *options], check=True)
        running = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
        (ours,) = [pid for pid in running if f"\0{mount}\0".encode() in command(pid)]
        return int(ours)

    def command(pid: str) -> bytes:
        try:
            return Path("/proc", pid, "cmdline").read_bytes()
        except OSError:
            return b""

    try:
        server = mounted("cache")
        save(run, 100)
        deadline = time.monotonic() + 120
        while not list(bucket.rglob("*.tar")):
            assert time.monotonic() < deadline
            copies.copy_new(run)  # as `watch` does; a file just renamed on the mount cannot be read for a moment
            time.sleep(2)
        time.sleep(3)
        save(run, 200)
        os.kill(server, signal.SIGKILL)
        subprocess.run(["umount", "-l", mount], check=True)

        server = mounted("another machine's cache")
        copies.restore(run)
        assert steps(run) == [100]
    finally:
        subprocess.run(["umount", "-l", mount], capture_output=True)
        os.kill(server, signal.SIGKILL)
