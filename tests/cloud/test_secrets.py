"""Secrets are found where users keep them, and leave no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesozoic.cloud.sky.sky_client import keep_private
from mesozoic.cloud.sky.sky_errors import one_line
from mesozoic.sweep.wandb_key import wandb_key

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
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


def test_skypilots_folder_is_closed_to_others(home: Path) -> None:
    (home / ".sky").mkdir(mode=0o755)
    keep_private()
    assert (home / ".sky").stat().st_mode & 0o777 == 0o700
