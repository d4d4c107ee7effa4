"""`mesozoic species` lists the animals; `mesozoic species check FOLDER` says what of a folder passes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.animal_package import copy_animal, install

from mesozoic.species import get_species


def species(*arguments: str, path: Path | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "mesozoic", "species", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_animal(tmp_path / "raptor")


def test_a_sound_folder_passes_without_being_registered(folder: Path) -> None:
    result = species("check", str(folder))
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert all(line.startswith("ok    ") for line in lines[:-1])
    assert lines[-1] == f"{len(lines) - 1} of {len(lines) - 1} checks passed"
    assert "feet carry the weight: 1.000 of the weight" in result.stdout
    assert "stage 3 runs with random actions: 63 observations, 14 actions" in result.stdout


def test_a_built_in_animal_brings_its_policies() -> None:
    result = species("check", str(get_species("trex").folder))
    assert result.returncode == 0
    assert "policy of stage 3 fits: it is a policy of stage 3" in result.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("model.xml", 'kp="180"', 'kp="60"', "FAIL  servos are sized from the weight"),
        ("configs/stage2_locomotion.toml", "number = 2", "number = 3", "FAIL  stage 2 is valid"),
        ("configs/stage2_locomotion.toml", "gait_offsets = [0.0, 0.5]", "gait_offsets = [0.0]", "FAIL  all stages"),
        ("configs/stage2_locomotion.toml", "[ppo]", "[poo]", "FAIL  stage 2 is valid"),
    ],
)  # fmt: skip
def test_a_check_that_fails_is_exit_code_1(folder: Path, file: str, old: str, new: str, says: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    result = species("check", str(folder))
    assert (result.returncode, result.stderr) == (1, "")
    assert says in result.stdout


def test_an_animal_that_explodes_fails_and_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    model = folder / "model.xml"
    model.write_text(model.read_text().replace('damping="0.3"/>', 'damping="0.3" stiffness="-1e7"/>', 1))
    empty = tmp_path / "empty"
    empty.mkdir()
    result = species("check", str(folder), cwd=empty)
    assert (result.returncode, result.stderr) == (1, "")
    assert "800 episodes of broken physics" in result.stdout
    assert not list(empty.iterdir()), "MuJoCo's log"


def test_the_name_of_another_animal_fails(folder: Path, tmp_path: Path) -> None:
    assert "the name is not taken: 'raptor' is free" in species("check", str(folder)).stdout
    site = install(tmp_path / "site", "raptor", folder)
    assert "the name is not taken: 'raptor' is this folder" in species("check", str(folder), path=site).stdout
    facts = folder / "facts.toml"
    facts.write_text(facts.read_text().replace('"raptor"', '"trex"', 1))
    result = species("check", str(folder))
    assert result.returncode == 1
    assert "FAIL  the name is not taken: 'trex' is " in result.stdout


def test_stages_with_a_gap_or_none_fail(folder: Path) -> None:
    (folder / "configs" / "stage2_locomotion.toml").unlink()
    result = species("check", str(folder))
    assert result.returncode == 1 and "number them from 1 without gaps" in result.stdout
    shutil.rmtree(folder / "configs")
    result = species("check", str(folder))
    assert result.returncode == 1 and "FAIL  stages are there: there are no stage files in" in result.stdout


def test_a_policy_of_another_animal_fails(folder: Path) -> None:
    from mesozoic.policies import shipped_policy

    (folder / "policies").mkdir()
    shutil.copy(shipped_policy("velociraptor", 1), folder / "policies" / "stage1.zip")
    result = species("check", str(folder))
    assert result.returncode == 1
    assert "FAIL  policy of stage 1 fits: " in result.stdout and "velociraptor" in result.stdout


@pytest.mark.parametrize("name", ["", "a" * 5000, "\x1b[31mred", "."])
def test_a_name_that_is_no_folder_is_one_sentence(name: str) -> None:
    result = species("check", name)
    assert (result.returncode, result.stdout) == (2, "")
    sentence = result.stderr.removesuffix("\n")
    assert sentence.startswith("error: ") and sentence.isprintable() and len(sentence) <= 308


@pytest.mark.parametrize("break_it", ["facts", "model", "nothing there"])
def test_a_folder_that_cannot_be_read_is_exit_code_2(folder: Path, break_it: str) -> None:
    if break_it == "facts":
        (folder / "facts.toml").write_text("name = 3")
    elif break_it == "model":
        (folder / "model.xml").write_text("<mujoco>")
    else:
        shutil.rmtree(folder)
    result = species("check", str(folder))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1 and len(result.stderr) <= 308


def test_a_broken_package_hides_no_other_animal_from_the_list(folder: Path, tmp_path: Path) -> None:
    (folder / "facts.toml").write_text("name = 3")
    site = install(tmp_path / "site", "raptor", folder)
    result = species("--json", path=site)
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert result.returncode == 0 and rows["trex"]["stages"][0] == "stage1_balance"
    assert "facts.toml" in rows["raptor"]["problem"]
    assert "raptor: " in species(path=site).stdout
