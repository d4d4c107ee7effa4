"""Each mistake in a species folder is one short sentence with the file, the field and the names that exist."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.animal_package import copy_animal

from mesozoic.errors import UserError
from mesozoic.species import load_species
from mesozoic.species.anatomy import anatomy_of

LONGEST = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_animal(tmp_path / "raptor")


def read(folder: Path) -> None:
    """All that is read of a folder before a world is made of it."""
    species = load_species(folder)
    anatomy_of(species, species.load_model())


def sentence(folder: Path) -> str:
    """What is said of a folder with a mistake in it."""
    with pytest.raises(UserError) as caught:
        read(folder)
    text = str(caught.value)
    assert text.isprintable() and len(text) <= LONGEST, text
    return text


FACTS = [
    ('torso = "torso"', 'trunk = "torso"', "there is no field 'trunk'; remove it ('torso' is missing)"),
    ('torso = "torso"', 'torzo = "torso"', "there is no field 'torzo'; did you mean 'torso'?"),
    ('torso = "torso"', "", "the field 'torso' is missing"),
    ('torso = "torso"', 'torso = "trunk"', "torso: 'trunk' is no body of the model"),
    ('torso = "torso"', 'torso = "tail"', "torso 'tail' has no free joint; the body with it is 'torso'"),
    ('torso = "torso"', "torso = 3", "'torso' should be a valid string, but it is 3"),
    ('name = "raptor"', 'name = "My Raptor"', "'name' should be lower-case letters"),
    ('title = "', 'title = "\\u001b[31m', "'title' should be one line"),
    ("hip_height = 0.50", 'hip_height = "tall"', "'hip_height' should be a valid number, but it is 'tall'"),
    ("hip_height = 0.50", "hip_height = -1.0", "'hip_height' should be greater than 0, but it is -1.0"),
    ("hip_height = 0.50", "hip_height = nan", "'hip_height' should be"),
    ("hip_height = 0.50", f"hip_height = {'9' * 400}", "'hip_height' should be"),
    ("hip_height = 0.50", f"hip_height = {'9' * 5000}", "is not valid TOML"),
    ('behaviour = "strike"', 'behaviour = "hover"', "should be one of strike, bite, food_reach, but it is 'hover'"),
    (
        '"left_sickle"',
        '"left_sikle"',
        "strike_sites: 'left_sikle' is no site of the model; did you mean 'left_si",
    ),
    ('["left_sickle", "right_sickle"]', "[]", "'strike_sites' should have at least 1 item"),
    (
        '"left_digit3"',
        '"left_digit9"',
        "geom of foot 'left': 'left_digit9' is no geom of the model; did you",
    ),
    ('"left_digit3"', '"left_digit4"', "'left_digit4' is there twice among the geoms of the feet"),
    ('name = "right"', 'name = "left"', "'left' is there twice among the feet"),
    ('name = "right"', 'name = "other"', "foot 'left' has no mirror image 'right'"),
    ("knee = 0.6", "nee = 0.6", "[action_scale] lacks 'knee', for the actuator 'left_knee'"),
    ("knee = 0.6", "knee = 0.6\nelbow = 0.6", "[action_scale]: 'elbow' is no actuator of the model"),
    ("knee = 0.6", "knee = -0.6", "'action_scale.knee' should be greater than 0"),
    ("knee = 0.6", "knee = true", "'action_scale.knee' should be a valid number, but it is True"),
    ("[action_scale]", "[[action_scale]]", "'action_scale' should be a valid dictionary"),
    ("[[feet]]", "[[feet", "is not valid TOML"),
    ("unit = ", "units = ", "there is no field 'sizes[0].units'; did you mean 'unit'? ('sizes[0].unit' is missing)"),
    ('name = "raptor"', "deep = " + "[" * 5000, "is not valid TOML"),
]
MODEL = [
    ('name="home"', 'name="stand"', "has no keyframe 'home' (there are: stand)"),
    ("<worldbody>", "<worldbodies>", "is not valid XML (mismatched tag"),
    ("<worldbody>", "<worldbody><blob/>", "is no model that MuJoCo takes (XML Error: Schema violation"),
    ('<joint name="left_knee"', '<joint type="ball" name="left_knee"', "all others hinges or slides|MuJoCo takes"),
    ("<freejoint", "<joint type='fancy' ", "is no model that MuJoCo takes"),
    ('name="load_left_digit3"', 'name="load_left_digit1"', 'add <contact name="load_left_digit3" geom1="floor"'),
    ('timestep="0.01"', 'timestep="0.003"', "timestep 0.003 s does not divide 0.02 s"),
    ('timestep="0.01"', 'timestep="1e-12"', "timestep 1e-12 s does not divide 0.02 s"),
    ('timestep="0.01"', 'timestep="0.01" gravity="0 0 0"', "gravity is 0 0 0; it must point straight down"),
    ('name="floor" type="plane"', 'name="ground" type="plane"', "is no model that MuJoCo takes"),
    ('<joint name="left_knee"', "<joint", "is no model that MuJoCo takes"),
    ('"left_knee"', '"leftover_knee"', "MuJoCo takes|mirror image 'rightover_knee'|action_scale"),
    ('<position name="left_knee" joint="left_knee" class="knee"/>', '<motor name="left_knee" joint="left_knee"/>',
     "actuator 'left_knee' is no named position servo"),
    ('width="256" height="1536"', 'width="999999" height="1536"', '<texture width="999999"> is more than 8192'),
    ("<mujoco", '<!DOCTYPE a [<!ENTITY b "c">]><mujoco', "declares a document type or entities"),
    ("<asset>", '<asset><mesh file="none.stl"/>', "is no model that MuJoCo takes"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), FACTS)
def test_a_mistake_in_the_facts(folder: Path, old: str, new: str, says: str) -> None:
    path = folder / "facts.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    text = sentence(folder)
    assert says in text and "facts.toml" in text, text


@pytest.mark.parametrize(("old", "new", "says"), MODEL)
def test_a_mistake_in_the_model(folder: Path, old: str, new: str, says: str) -> None:
    path = folder / "model.xml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    text = sentence(folder)
    assert any(one in text for one in says.split("|")) and "raptor" in text, text


@pytest.mark.parametrize("file", ["facts.toml", "model.xml"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing", "huge", "empty", "binary", "utf-16"])
def test_what_is_no_such_file_is_told_at_once(folder: Path, file: str, kind: str) -> None:
    path = folder / file
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
    elif kind != "nothing":
        path.write_bytes({"empty": b"", "binary": b"\xff\x00\x80", "utf-16": "name = 'a'".encode("utf-16")}[kind])
    assert file in sentence(folder)


def test_a_pipe_that_a_model_names_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "part.xml")
    model = folder / "model.xml"
    model.write_text(model.read_text().replace("<asset>", '<include file="part.xml"/><asset>', 1))
    assert '<include file="part.xml"> is no plain file' in sentence(folder)


def test_a_byte_order_mark_does_no_harm(folder: Path) -> None:
    for file in ("facts.toml", "model.xml"):
        (folder / file).write_bytes(b"\xef\xbb\xbf" + (folder / file).read_bytes())
    read(folder)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no facts\.toml"):
        load_species(tmp_path / "nowhere")
    shutil.copy(__file__, tmp_path / "file")
    with pytest.raises(UserError, match=r"has no facts\.toml"):
        load_species(tmp_path / "file")
