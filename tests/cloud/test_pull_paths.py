"""Results land where the user said, whatever the folder is called: nothing of its name is run by a shell."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from mesozoic.cloud.sky.client import Cluster
from mesozoic.cloud.sky.sky_client import SkyClient


class Node:
    """A machine that copies with the help of a shell, as SkyPilot does."""

    def rsync(self, source: str, target: str, **_: object) -> None:
        subprocess.run(f"cp -r {source}. {target}", shell=True, check=True)


@pytest.mark.parametrize("name", ["it's $(touch ran)", "a b", "*", '"; touch ran; "', "`touch ran`", "-rf", "ä&b"])
def test_any_folder_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "metrics.json").write_text("{}")
    target = Path(name)
    target.mkdir()
    client = SkyClient.__new__(SkyClient)
    handle = SimpleNamespace(get_command_runners=lambda: [Node()])
    client.download(Cluster("mesozoic-a", "UP", 0.0, 5, True, None, handle), f"{tmp_path}/far", target)
    assert (tmp_path / name / "metrics.json").read_text() == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["far", name])
