"""Secrets are found where users keep them, and leave no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesozoic.cloud.request import parse_envs
from mesozoic.cloud.sky.sky_client import keep_private
from mesozoic.cloud.sky.sky_errors import one_line
from mesozoic.cloud.sky.task import load_task, settings_of
from mesozoic.errors import UserError
from mesozoic.redact import without_password
from mesozoic.sweep.wandb_account import PUBLIC_SERVER, wandb_key

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("WANDB_") or name == "NETRC"]:
        monkeypatch.delenv(name)
    return tmp_path


def test_from_the_environment_before_netrc(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wandb_key() is None
    (home / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    (home / ".netrc").chmod(0o600)
    assert wandb_key() == KEY
    monkeypatch.setenv("WANDB_API_KEY", "other")
    assert wandb_key() == "other"


def test_netrc_of_another_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text(f"machine wandb.example.org\n  login user\n  password {KEY}\n")
    (home / ".netrc").chmod(0o600)
    assert wandb_key() is None
    assert wandb_key("https://wandb.example.org:8080") == KEY
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert wandb_key() == KEY


def test_a_broken_netrc_is_no_key(home: Path) -> None:
    (home / ".netrc").write_text("machine\nmachine machine login\n")
    assert wandb_key() is None


def test_errors_show_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    text = one_line(f"\x1b[31minvalid task:\x1b[0m secrets:\n  WANDB_API_KEY: {KEY}\n" + "x" * 1000)
    assert KEY not in text and "\n" not in text and "\x1b" not in text
    assert len(text) <= 400


PASSWORD = "correct-horse"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WANDB_API_KEY", "x" * 40),
        ("HF_TOKEN", "abc"),
        ("NOTES", f"the key is {KEY}"),
        ("WANDB_BASE_URL", f"https://me:{PASSWORD}@wandb.example.org"),
        ("PROXY", f"http://me:{PASSWORD}@proxy:3128"),
    ],
)
def test_no_secret_travels_as_a_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings are shown, and written into SkyPilot's files and our ledger; given with --env or in a task file."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with pytest.raises(UserError, match=f"--env {name} .*would be stored in plain text") as caught:
        parse_envs([f"{name}={value}"])
    assert value not in str(caught.value) and PASSWORD not in str(caught.value)
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    file = tmp_path / "mine.yaml"
    file.write_text(f"envs:\n  SPECIES: trex\n  {name}: '{value}'\nrun: echo\n")
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(UserError, match=rf"{name} under envs of .*mine.yaml .*would be stored in plain text") as caught:
        settings_of(file)
    assert value not in str(caught.value) and PASSWORD not in str(caught.value)


def test_settings_that_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    texts = ["OVERRIDES=ppo.gamma=0.9 env.x=[1, 2]", "WANDB_BASE_URL=https://wandb.example.org", "WANDB_API_KEY="]
    assert len(parse_envs(texts)) == 3


def test_a_server_with_a_password_travels_as_a_secret_and_is_shown_without(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    address = f"https://me:{PASSWORD}@wandb.example.org/api"
    monkeypatch.setenv("WANDB_BASE_URL", address)
    monkeypatch.chdir(Path(__file__).parents[2])
    task = load_task(Path("cloud/train.yaml"), {})
    assert task.envs_and_secrets["WANDB_BASE_URL"] not in task.envs.values()
    assert PASSWORD not in str(task.to_yaml_config(use_user_specified_yaml=False).get("envs"))
    assert without_password(address) == "https://wandb.example.org/api"
    assert PASSWORD not in one_line(f"could not reach {address}")


@pytest.mark.parametrize("place", ["home", "here"])
def test_the_server_and_project_of_wandbs_own_settings(home: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `wandb login --host` and `wandb init` write them; asked in a new process, as W&B reads them once in each."""
    pytest.importorskip("wandb", reason="needs the extra [sweep]")
    monkeypatch.chdir(home)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    asked = "from mesozoic.sweep.wandb_account import *; print((server(), project_and_entity(), wandb_key()))"

    def answer() -> str:
        done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=100, check=True)
        assert not done.stderr
        return done.stdout.strip()

    assert answer() == repr((PUBLIC_SERVER, ("mesozoic", None), None))
    folder = home / ".config" / "wandb" if place == "home" else home / "wandb"
    folder.mkdir(parents=True)
    (folder / "settings").write_text("[default]\nbase_url = https://w.example.org\nproject = dinos\nentity = us\n")
    (home / ".netrc").write_text(f"machine w.example.org\n  login user\n  password {KEY}\n")
    assert answer() == repr(("https://w.example.org", ("dinos", "us"), KEY))
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    assert answer() == repr(("https://w.example.org", ("mine", "us"), KEY))


def test_skypilots_folder_is_closed_to_others(home: Path) -> None:
    (home / ".sky").mkdir(mode=0o755)
    keep_private()
    assert (home / ".sky").stat().st_mode & 0o777 == 0o700
