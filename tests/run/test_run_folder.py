"""Where the files of a run lie, and which runs may share a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mesozoic.errors import UserError
from mesozoic.run.folder import StageFolder, choose_run_folder, find_policy, start_of
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


def test_the_run_folder_is_the_named_one_or_a_dated_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_run_folder(tmp_path / "x", tmp_path / "logs", "name") == tmp_path / "x"
    dated = choose_run_folder(None, tmp_path / "logs", "name")
    assert dated.parent == tmp_path / "logs"
    assert dated.name.startswith("name-20")
    assert choose_run_folder(None, None, "name").parent == Path("runs")


def test_runs_begun_in_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    chosen = [choose_run_folder(None, tmp_path, "name") for _ in range(5)]
    assert len(set(chosen)) == 5
    assert all(folder.is_dir() for folder in chosen)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--output-dir"):
        choose_run_folder(None, tmp_path / "file", "name")


def test_the_lock_keeps_others_out_also_while_the_stage_is_moved_aside(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "run", 1)
    with folder.locked():
        folder.create()
        with pytest.raises(UserError, match=r"another process is training in .*stage1"), folder.locked():
            pass
        folder.set_aside()
        with pytest.raises(UserError, match="another process"), folder.locked():
            pass
        with StageFolder(tmp_path / "run", 2).locked():
            pass
    with folder.locked():
        pass


def test_a_lock_that_is_a_link_or_a_pipe_is_refused_and_nothing_behind_it_is_touched(tmp_path: Path) -> None:
    folder, precious = StageFolder(tmp_path, 1), tmp_path / "precious"
    precious.write_text("keys")
    lock = tmp_path / ".stage1.lock"
    for make in (lambda: lock.symlink_to(precious), lambda: lock.symlink_to(tmp_path / "new"), lambda: os.mkfifo(lock)):
        make()
        with pytest.raises(UserError, match=r"\.stage1\.lock should be a plain file"), folder.locked():
            pass
        lock.unlink()
    assert precious.read_text() == "keys"
    assert not (tmp_path / "new").exists()
    lock.write_text("not mine")
    with folder.locked():
        assert lock.read_text() == "not mine", "opened without emptying"


def test_a_file_system_that_refuses_to_replace_files_is_named_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UserError, match=r"put in place \(Function not implemented\).*--output-dir"):
        StageFolder(tmp_path, 1).begin({})
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_would_be_waited_for_or_written_elsewhere_is_refused_before_training(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "run", 1)
    folder.create()
    places = (
        folder.path / "training.csv",
        folder.best_policy,
        folder.checkpoints / "step-1.checkpoint",
        folder.metrics,
    )
    makers = (
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(tmp_path / "elsewhere"),
    )
    for place in places:
        for make in makers:
            make(place)
            with pytest.raises(UserError, match=f"{place.name} is no plain file; move it away, or give another"):
                folder.begin({})
            place.unlink()
    folder.final_policy.mkdir()
    with pytest.raises(UserError, match=r"stage1_final\.zip is no plain file"):
        folder.begin({})
    folder.final_policy.rmdir()
    (tmp_path / "disk").mkdir()
    folder.models.rmdir()
    folder.models.symlink_to(tmp_path / "disk")
    folder.begin({})
    assert folder.config.is_file(), "a folder may lie on another disk"


def test_what_a_killed_process_left_half_written_is_swept(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, 1)
    folder.create()
    left = [folder.models / ".best_model.zip.1.tmp", folder.checkpoints / ".step-1.checkpoint.1.tmp"]
    for path in [*left, folder.best_policy]:
        path.touch()
    folder.sweep()
    assert not any(path.exists() for path in left)
    assert folder.best_policy.exists()


def test_a_policy_to_start_from_is_one_of_the_stages_before(tmp_path: Path) -> None:
    folders = {number: StageFolder(tmp_path, number) for number in (1, 2, 3, 10)}
    for folder in folders.values():
        folder.create()
        folder.final_policy.touch()
    assert start_of(None, tmp_path, 2) is None
    assert start_of(tmp_path, tmp_path, 2) == folders[1].final_policy
    assert start_of(tmp_path / "stage2" / "..", tmp_path, 10) == tmp_path / "stage2" / ".." / "stage3" / "models" / (
        "stage3_final.zip"
    )
    assert start_of(tmp_path, tmp_path, 11) == folders[10].final_policy, "numbers, not letters"
    assert start_of(tmp_path, tmp_path, 1) == folders[1].final_policy, "none before: an earlier try"
    other = tmp_path / "other"
    assert start_of(tmp_path, other, 2) == tmp_path
    assert start_of(folders[2].final_policy, tmp_path, 2) == folders[2].final_policy


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
