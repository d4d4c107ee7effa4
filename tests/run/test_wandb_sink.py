"""Weights & Biases never stops a run: it logs, or there is one warning."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesozoic.run.sinks import wandb_sink
from mesozoic.run.sinks.wandb_sink import WandbSink, open_wandb


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who never heard of W&B."""
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "home" / "config"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def wandb() -> Iterator[object]:
    module = pytest.importorskip("wandb")
    yield module
    module.teardown()


def test_without_the_package_there_is_one_warning(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert open_wandb(tmp_path, "name", {}, warnings.append) is None
    assert len(warnings) == 1
    assert "pip install 'mesozoic[sweep]'" in warnings[0]


def test_without_a_key_there_is_one_warning(tmp_path: Path, warnings: list[str], wandb: object) -> None:
    assert open_wandb(tmp_path, "name", {}, warnings.append) is None
    assert len(warnings) == 1
    assert "no API key" in warnings[0]
    assert "WANDB_MODE=offline" in warnings[0]


@pytest.mark.parametrize("error", [RuntimeError(), RuntimeError("first\nsecond"), TimeoutError("slow")])
def test_whatever_goes_wrong_at_the_start_is_one_warning(
    tmp_path: Path, warnings: list[str], wandb: object, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(wandb, "init", refuse)
    assert open_wandb(tmp_path, "name", {}, warnings.append) is None
    assert len(warnings) == 1
    assert "second" not in warnings[0]
    assert "training goes on" in warnings[0]


def test_what_breaks_later_is_one_warning_too(warnings: list[str]) -> None:
    class Broken:
        def log(self, metrics: dict[str, float], step: int) -> None:
            raise BrokenPipeError

        def finish(self, quiet: bool) -> None:
            raise AssertionError("nothing more should be asked of it")

    sink = WandbSink(Broken(), warnings.append)
    for step in (64, 128):
        sink.write(step, {"loss": 1.0})
    sink.close()
    assert len(warnings) == 1
    assert "BrokenPipeError" in warnings[0]


def test_a_key_in_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert wandb_sink._has_key()


def test_offline_writes_a_run_and_continues_the_same_one(
    tmp_path: Path, warnings: list[str], wandb: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for step in (64, 128):
        sink = open_wandb(tmp_path, "raptor", {"seed": 3}, warnings.append)
        assert sink is not None
        sink.write(step, {"stage1/loss": 0.5})
        sink.close()
    run_id = json.loads((tmp_path / "wandb.json").read_text())["id"]
    files = list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert files
    assert {file.name for file in files} == {f"run-{run_id}.wandb"}
    assert all(file.stat().st_size > 0 for file in files)
    assert warnings == []


def test_the_run_id_of_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    assert wandb_sink._run_id(tmp_path) == "mine"
    assert not (tmp_path / "wandb.json").exists()
