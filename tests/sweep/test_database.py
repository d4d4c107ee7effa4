"""A database that freezes: launchers are told in stated time, whatever they were waiting for."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the extra [sweep]")

from mesozoic.errors import UserError
from mesozoic.sweep.engines.storage import open_storage, storage_errors


def processes_with(text: str) -> list[int]:
    """Numbers of the processes whose command line has this in it, or whose parent's has."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            lines = [(place / "cmdline").read_bytes(), Path(f"/proc/{parent}/cmdline").read_bytes()]
        except (OSError, ValueError):
            continue
        if any(text.encode() in line for line in lines):
            found.append(int(place.name))
    return [pid for pid in found if pid != os.getpid()]


@pytest.mark.e2e
def test_a_database_that_freezes_is_waited_for_in_stated_time(
    tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesozoic.sweep.engines.database.CONNECT_SECONDS", 2)
    storage = open_storage(postgresql, tmp_path)
    with storage_errors(postgresql):
        assert storage.get_all_studies() == []
    monkeypatch.setattr("mesozoic.sweep.engines.database.ANSWER_SECONDS", 1.0)
    frozen = processes_with(f"-p{postgresql.rpartition(':')[2].partition('/')[0]}")
    assert len(frozen) > 1
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(UserError, match=r"cannot use postgresql://.*; check --storage"), storage_errors(postgresql):
            storage.get_all_studies()
        assert time.monotonic() - began < 30
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    with storage_errors(postgresql):
        assert storage.get_all_studies() == []
