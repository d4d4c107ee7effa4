"""Where Optuna is not installed, a local sweep is refused before anything is written, and a dry run says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mesozoic.cli.app import main

COMMANDS = (
    ["sweep", "launch", "velociraptor", "--trials", "2"],
    ["sweep", "launch-all", "velociraptor", "--no-resume"],
)


def code_of(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """The exit code of a command in this process."""
    monkeypatch.setattr("sys.argv", ["mesozoic", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code or 0


@pytest.fixture(autouse=True)
def no_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # what an import of it then finds


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[1])
def test_a_sweep_is_refused_and_its_folder_left_alone(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "earlier").touch()
    assert code_of(monkeypatch, *words, "--output-dir", str(folder)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "error: a local sweep needs Optuna; run: pip install 'mesozoic[sweep]'"
    assert [path.name for path in tmp_path.rglob("*")] == ["sweep", "earlier"]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[1])
def test_a_dry_run_checks_the_rest_and_says_what_is_missing(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, *words, "--dry-run", "--output-dir", str(tmp_path / "sweep")) == 0
    said = capsys.readouterr()
    assert "nothing was started" in said.out + said.err and "warning: a local sweep needs Optuna" in said.err
    assert not any(tmp_path.iterdir())
