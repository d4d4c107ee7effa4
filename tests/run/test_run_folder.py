"""Where the files of a run lie, and which runs may share a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mesozoic.errors import UserError
from mesozoic.run.folder import StageFolder, choose_run_folder, find_policy
from mesozoic.run.stage_spec import StageSpec

MakeSpec = Callable[..., StageSpec]


def test_creating_makes_the_folders_and_may_be_repeated(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "a" / "run", 2)
    folder.create()
    (folder.models / "x").touch()
    folder.create()
    assert folder.checkpoints.is_dir()
    assert (tmp_path / "a" / "run" / "stage2" / "models" / "x").exists()


@pytest.mark.parametrize("below", [".", "deeper/still"])
def test_a_place_that_cannot_be_written_is_a_user_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*stage1.*--output-dir"):
        StageFolder(tmp_path / "file" / below, 1).create()


def test_a_folder_without_permission_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(UserError, match=r"Permission denied.*--output-dir"):
        StageFolder(tmp_path, 1).create()


def test_setting_aside_keeps_every_old_run(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, 1)
    assert folder.set_aside() is None
    for number in (1, 2, 3):
        folder.create()
        folder.metrics.write_text(f"run {number}")
        aside = folder.set_aside()
        assert aside == tmp_path / f"stage1.old{number}"
        assert not folder.path.exists()
    for number in (1, 2, 3):
        assert (tmp_path / f"stage1.old{number}" / "metrics.json").read_text() == f"run {number}"


def test_the_run_folder_is_the_named_one_or_a_dated_one(tmp_path: Path) -> None:
    assert choose_run_folder(tmp_path / "x", tmp_path / "logs", "name") == tmp_path / "x"
    dated = choose_run_folder(None, tmp_path / "logs", "name")
    assert dated.parent == tmp_path / "logs"
    assert dated.name.startswith("name-20")
    assert choose_run_folder(None, None, "name").parent == Path("runs")


def test_finds_the_policy_a_path_stands_for(tmp_path: Path) -> None:
    first, second = StageFolder(tmp_path, 1), StageFolder(tmp_path, 2)
    with pytest.raises(UserError, match="holds no policy yet"):
        find_policy(tmp_path)
    for folder in (first, second):
        folder.create()
    first.best_policy.touch()
    assert find_policy(tmp_path) == first.best_policy
    assert find_policy(first.path) == first.best_policy
    first.final_policy.touch()
    second.best_policy.touch()
    assert find_policy(tmp_path) == first.final_policy, "a finished stage before one under way"
    second.final_policy.touch()
    assert find_policy(tmp_path) == second.final_policy
    assert find_policy(first.path) == first.final_policy
    assert find_policy(first.best_policy) == first.best_policy
    old = first.set_aside()
    assert old is not None
    assert find_policy(tmp_path) == second.final_policy
    assert find_policy(tmp_path / "anything.zip") == tmp_path / "anything.zip"


def test_a_run_is_the_same_as_itself(spec: MakeSpec, tmp_path: Path) -> None:
    spec().check(spec().to_json(), tmp_path)
