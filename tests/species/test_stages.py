"""Stage files are found with the animal that they belong to, however many there are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.animal_package import copy_animal, install

import mesozoic
from mesozoic.errors import UserError
from mesozoic.run.problems import problems, resolve
from mesozoic.run.spec import RunSpec
from mesozoic.species import load_stage, stage_files
from mesozoic.species.stages import configs_folder, stage_files_in

PACKAGE = Path(mesozoic.__file__).parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed third-party animal `raptor`, one stage."""
    folder = copy_animal(tmp_path / "animals" / "raptor", stages=(1,))
    monkeypatch.syspath_prepend(install(tmp_path / "site", "raptor", folder))
    monkeypatch.delitem(sys.modules, "other_animals", raising=False)
    return folder


def test_an_animal_brings_its_own_stage(folder: Path) -> None:
    assert stage_files("raptor") == {1: folder / "configs" / "stage1_balance.toml"}
    assert load_stage("raptor", 1).stage.name == "balance"
    with pytest.raises(UserError, match="raptor has no stage 2; it has 1"):
        load_stage("raptor", 2)


def test_an_animal_may_have_more_than_three_stages(folder: Path) -> None:
    first = folder / "configs" / "stage1_balance.toml"
    for number in (2, 10):
        text = first.read_text().replace("number = 1", f"number = {number}").replace('"balance"', '"turn"')
        (folder / "configs" / f"stage{number}_turn.toml").write_text(text)
    assert list(stage_files("raptor")) == [1, 2, 10]
    assert load_stage("raptor", 10).stage.number == 10


def test_a_curriculum_has_as_many_stages_as_its_animal(folder: Path) -> None:
    first = (folder / "configs" / "stage1_balance.toml").read_text()
    for number in (2, 3, 4):
        text = first.replace("number = 1", f"number = {number}").replace('"balance"', '"turn"')
        (folder / "configs" / f"stage{number}_turn.toml").write_text(text)
    overrides = ("ppo.gamma=0.9", "4.ppo.gamma=0.8")
    stages = resolve(RunSpec(species="raptor", overrides=overrides))
    assert [(one.config.stage.number, one.config.ppo.gamma) for one in stages] == [
        (1, 0.9),
        (2, 0.9),
        (3, 0.9),
        (4, 0.8),
    ]
    assert [one.config.stage.number for one in resolve(RunSpec(species="raptor", stage=4))] == [4]
    assert problems(RunSpec(species="raptor", stage=5)) == ["stage 5: raptor has no stage 5; it has 1, 2, 3, 4"]


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "huge", "binary"])
def test_a_stage_file_that_is_none_is_told_at_once(folder: Path, kind: str) -> None:
    path = folder / "configs" / "stage1_balance.toml"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as sparse:
            sparse.truncate(2**40)
    else:
        path.write_bytes(b"\xff\x00")
    with pytest.raises(UserError, match=r"stage1_balance\.toml(: it)? is (no plain file|longer than|not UTF-8)"):
        load_stage("raptor", 1)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("stage1_stand.toml", r"both stage 1; renumber"),
        ("stage0_stand.toml", r"stage<number>_<name>\.toml"),
        ("stage4.toml", r"stage<number>_<name>\.toml"),
        ("Stage4_turn.toml", r"stage<number>_<name>\.toml"),
        ("stage100_turn.toml", r"stage<number>_<name>\.toml"),
    ],
)
def test_a_stage_file_with_a_useless_name_is_told(folder: Path, file: str, says: str) -> None:
    shutil.copy(folder / "configs" / "stage1_balance.toml", folder / "configs" / file)
    with pytest.raises(UserError, match=says):
        stage_files("raptor")


def test_a_file_whose_number_is_not_that_of_its_name_is_told(folder: Path) -> None:
    shutil.move(folder / "configs" / "stage1_balance.toml", folder / "configs" / "stage2_balance.toml")
    with pytest.raises(UserError, match=r"stage2_balance\.toml: stage\.number is 1"):
        load_stage("raptor", 2)


def test_an_animal_without_stage_files_says_where_they_belong(folder: Path) -> None:
    shutil.rmtree(folder / "configs")
    with pytest.raises(UserError, match=r"no stage files in .*raptor/configs; add one, for example .*stage1_"):
        stage_files_in(folder)


def test_a_configs_folder_of_another_package_is_not_taken_for_ours(tmp_path: Path) -> None:
    """Beside an installed package, `configs/` belongs to somebody else."""
    shutil.copytree(PACKAGE, tmp_path / "mesozoic", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(configs_folder(), tmp_path / "mesozoic" / "_configs")
    (tmp_path / "configs" / "nginx").mkdir(parents=True)
    program = "from mesozoic.species import *; print([*map(stage_files, species_names())])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("/_configs/") == 9
