"""What a machine sends with a run folder: after a copy only plain files and folders with plain modes are there."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mesozoic.cloud.arrivals import keep_plain
from mesozoic.cloud.ledger import write_ledger
from mesozoic.cloud.pulled import MARK
from mesozoic.cloud.sky.bucket import pull_from_bucket
from mesozoic.cloud.sky.client import Cluster
from mesozoic.cloud.sky.pull import pull
from mesozoic.cloud.sky.sky_client import SkyClient
from mesozoic.errors import UserError

NAME = "mesozoic-a"


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """The run folder of a machine in strange hands; beside it `secret`, which is not the machine's."""
    (tmp_path / "secret").write_text("precious")
    far = tmp_path / "far" / "mesozoic-runs" / "a"
    (far / "stage1" / "models").mkdir(parents=True)
    (far / "stage1" / "metrics.json").write_text("{}")
    (far / "stage1" / "metrics.json").chmod(0o4777)
    (far / "stage1" / "models").chmod(0o2777)
    (far / ".lock").symlink_to(tmp_path / "secret")
    (far / "stage1" / "tensorboard").symlink_to("/")
    (far / "stage1" / "gone").symlink_to("nowhere")
    os.mkfifo(far / "stage1" / "training.csv")
    (far / "\x1b[2J\nerror: forged").symlink_to("/")
    return far


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SkyClient:
    """SkyPilot's client, whose machine is reached with the `rsync` that it uses."""
    if shutil.which("rsync") is None:
        pytest.skip("needs rsync")
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "cloud-home"))
    monkeypatch.chdir(tmp_path)
    write_ledger("launch", NAME, run_name="a")
    return SkyClient.__new__(SkyClient)


def machine(far: Path, then: Callable[[], None] = lambda: None) -> Cluster:
    """A cluster of one machine, whose home holds `mesozoic-runs`; `then` happens at the end of a copy."""

    def rsync(source: str, target: str, **_: object) -> None:
        home = str(far.parents[1])
        subprocess.run(["rsync", "-a", "--no-owner", "--no-group", source.replace("~", home), target], check=True)
        then()

    node = SimpleNamespace(rsync=rsync, run=lambda *_, **__: 0)
    return Cluster(NAME, "UP", 0.0, 5, True, None, SimpleNamespace(get_command_runners=lambda: [node]))


def assert_plain(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        found = path.lstat().st_mode
        assert stat.S_ISDIR(found) or stat.S_ISREG(found), path
        assert stat.S_IMODE(found) & ~(0o755 if stat.S_ISDIR(found) else 0o644) == 0, path


def test_links_pipes_and_modes_do_not_come_home(client: SkyClient, far: Path, tmp_path: Path) -> None:
    said: list[str] = []
    target = pull(client, machine(far), None, None, said.append)
    assert_plain(target)
    assert sorted(path.name for path in target.rglob("*")) == [MARK, "metrics.json", "models", "stage1"]
    warning = next(line for line in said if line.startswith("warning: removed"))
    for name in (".lock", "stage1/tensorboard", "stage1/gone", "stage1/training.csv"):
        assert name in warning
    assert "\n" not in warning and "\x1b" not in warning
    assert (tmp_path / "secret").read_text() == "precious"


def test_training_goes_on_in_a_folder_that_was_pulled(client: SkyClient, far: Path, tmp_path: Path) -> None:
    """Its lock, its table and its events were links to files of the user's."""
    (far / "stage1" / "metrics.json").unlink()
    (far / "stage1" / "training.csv").unlink()
    (far / "stage1" / "training.csv").symlink_to(tmp_path / "secret")
    (far / "stage1" / "tensorboard").unlink()
    (tmp_path / "elsewhere").mkdir()
    (far / "stage1" / "tensorboard").symlink_to(tmp_path / "elsewhere")
    target = pull(client, machine(far), None, None, print)
    small = ("--timesteps", "512", "--n-envs", "8", "ppo.n_steps=32", "ppo.batch_size=128")
    command = [sys.executable, "-m", "mesozoic", "train", *small, "--output-dir", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "secret").read_text() == "precious"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_again_copies_what_changed_and_removes_it_again(client: SkyClient, far: Path) -> None:
    for _ in range(2):
        said: list[str] = []
        target = pull(client, machine(far), None, None, said.append)
        assert_plain(target)
        assert any(".lock" in line for line in said)


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_a_copy_that_breaks_off_leaves_no_links_either(client: SkyClient, far: Path, kind: type[BaseException]) -> None:
    if kind is OSError:
        pytest.importorskip("sky", reason="needs the extra [cloud]: what its errors mean is read with its help")

    def breaks() -> None:
        raise kind

    with pytest.raises((UserError, KeyboardInterrupt)):
        pull(client, machine(far, breaks), None, None, print)
    assert_plain(Path("runs/a"))
    assert (Path("runs/a") / "stage1" / "metrics.json").exists()


@pytest.mark.parametrize("sent", ["file", "folder", "link"])
def test_the_machine_does_not_say_which_run_a_folder_holds(
    client: SkyClient, far: Path, sent: str, tmp_path: Path
) -> None:
    if sent == "file":
        (far / MARK).write_text('{"from": "mesozoic-b", "run": "b"}')
    elif sent == "folder":
        (far / MARK).mkdir()
        (far / MARK / "x").touch()
    else:
        (far / MARK).symlink_to(tmp_path / "secret")
    target = pull(client, machine(far), None, None, print)
    pull(client, machine(far), None, None, print)
    assert '"mesozoic-a"' in (target / MARK).read_text()
    assert (tmp_path / "secret").read_text() == "precious"


def test_a_bucket_is_a_strangers_as_well(
    far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: SkyClient
) -> None:
    """With a made-up `aws`, which copies with links; a folder that looks like an option is none."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "aws").write_text(f'#!/bin/sh\nexec rsync -a "{far}/" "$5"\n')
    (tools / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    write_ledger("launch", "job", run_name="a", envs={"BUCKET": "mine"}, kind="managed job")
    monkeypatch.setattr(client, "stores", lambda _: ["S3"], raising=False)
    said: list[str] = []
    target = pull_from_bucket(client, "job", None, Path("-rf"), said.append)
    assert_plain(target)
    assert any("warning: removed" in line for line in said)
    with pytest.raises(UserError, match=r"give a folder without them with --output"):
        pull_from_bucket(client, "job", None, Path("a*"), print)


def test_deep_folders_that_cannot_be_entered(tmp_path: Path) -> None:
    deep = tmp_path / "run"
    for _ in range(300):
        deep = deep / "a"
    deep.mkdir(parents=True)
    (deep / "link").symlink_to("/")
    (tmp_path / "run" / "a").chmod(0)
    assert [Path(name).name for name in keep_plain(tmp_path / "run")] == ["link"]
    assert not (deep / "link").is_symlink()
