"""In a mounted bucket a removed file is gone at once, a new one arrives later; a whole checkpoint is always there.

The network is imagined here; tests/job/test_bucket_mount.py has a real mount.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesozoic.files import uploads_late
from mesozoic.run import checkpoint
from mesozoic.run.checkpoint import checkpoints, save_checkpoint


class Bucket:
    """Takes one file after the other, each in `seconds`; what is removed here is removed there."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._uploading: tuple[str, float] | None = None
        self.there: set[str] = set()

    def advance(self, start: float, end: float) -> None:
        here = [path.name for path in checkpoints(self._folder)]
        self.there &= set(here)
        now = start
        while now < end:
            if self._uploading is not None and self._uploading[0] not in here:
                self._uploading = None  # the upload of a file that was removed ends
            if self._uploading is None:
                waiting = [name for name in here if name not in self.there]
                if not waiting:
                    return
                self._uploading = (waiting[0], now + self._seconds)
            name, done = self._uploading
            if done > end:
                return
            self.there.add(name)
            self._uploading, now = None, done


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.floats(0.5, 40.0), min_size=30, max_size=60),
    seconds=st.floats(0.1, 25.0),
)
def test_once_a_checkpoint_has_arrived_there_is_always_one(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[float], seconds: float
) -> None:
    """However often training saves, while an upload takes less than half of the patience."""
    folder = tmp_path_factory.mktemp("bucket")
    with pytest.MonkeyPatch.context() as patch:
        now = 1_000_000.0
        patch.setattr(checkpoint, "uploads_late", lambda _: True)
        patch.setattr(checkpoint.time, "time", lambda: now)
        bucket = Bucket(folder, seconds)
        saved: dict[str, float] = {}
        arrived = False
        for step, gap in enumerate(gaps):
            path = save_checkpoint(folder, step, {"step": step}, {})
            os.utime(path, (now, now))
            saved[path.name] = now
            bucket.advance(now, now + gap)
            now += gap
            assert len(checkpoints(folder)) <= 4
            arrived = arrived or bool(bucket.there)
            assert arrived or now - 1_000_000.0 <= seconds + gap
            if arrived:
                newest = max(saved[name] for name in bucket.there)
                # Two rounds of patience, and the time between two saves.
                assert now - newest <= 2 * checkpoint.ARRIVAL_SECONDS + 2 * max(gaps) + seconds


def test_a_disk_keeps_two_and_is_no_bucket(tmp_path: Path) -> None:
    assert not uploads_late(tmp_path)
    for step in range(5):
        os.utime(save_checkpoint(tmp_path, step, {}, {}), (0, 0))
    assert len(checkpoints(tmp_path)) == 2


@pytest.mark.parametrize(
    ("mounts", "late"),
    [
        ("/dev/sda1 / ext4 rw 0 0\nbucket: {here} fuse.rclone rw 0 0\n", True),
        ("/dev/sda1 / ext4 rw 0 0\nbucket: {here} fuse.rclone rw 0 0\n/dev/sdb {here} ext4 rw 0 0\n", False),
        ("bucket: / fuse.rclone rw 0 0\n/dev/sdb {here} ext4 rw 0 0\n", False),
        ("/dev/sda1 / ext4 rw 0 0\nbucket: {here}x fuse.rclone rw 0 0\n", False),
    ],
)
def test_the_innermost_mount_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str, late: bool) -> None:
    read = Path.read_text
    text = mounts.format(here=tmp_path)
    monkeypatch.setattr(
        Path, "read_text", lambda self, *a, **k: text if str(self) == "/proc/self/mounts" else read(self, *a, **k)
    )
    assert uploads_late(tmp_path / "run" / "stage1") is late
