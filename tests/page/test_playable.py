"""What `mesozoic play` puts into its page: what was asked for, with its own settings, or a sentence why not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesozoic.errors import UserError
from mesozoic.learn.policy import load_policy
from mesozoic.page import parcel as parcel_module
from mesozoic.page.parcel import animal_parcel, model_text
from mesozoic.page.play import SHIPPED, playable_page
from mesozoic.policies import shipped_policy
from mesozoic.species import get_species, load_species, load_stage


@pytest.fixture(autouse=True)
def _no_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The episodes by which a page checks itself take time, and are not looked at here."""
    monkeypatch.setattr(parcel_module, "examples_of", lambda *_: [])


def stages_of(parcel: dict[str, Any], animal: str) -> dict[int, dict[str, Any]]:
    (found,) = [one for one in parcel["animals"] if one["name"] == animal]
    return {stage["number"]: stage for stage in found["stages"]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder of a trex with stages 1 and 2, whose settings are not those of the stage files."""
    for stage in (1, 2):
        models = tmp_path / "mine" / f"stage{stage}" / "models"
        models.mkdir(parents=True)
        shutil.copy(shipped_policy("trex", stage), models / f"stage{stage}_final.zip")
        config = load_stage("trex", stage).model_dump(mode="json")
        config["env"]["fall_tilt"] = 40.0 + stage
        (models.parent / "stage_config.json").write_text(json.dumps({"config": config}))
    return tmp_path / "mine"


def test_a_run_brings_all_its_stages_with_its_own_settings(run: Path) -> None:
    page = playable_page(run)
    assert page.parcel["start"] == {"animal": "trex", "stage": 2, "seed": 0, "episode": 0}
    stages = stages_of(page.parcel, "trex")
    assert [stages[number]["env"]["fall_tilt"] for number in (1, 2)] == [41.0, 42.0]
    assert [stages[number]["title"] for number in (1, 2, 3)] == [
        "mine/stage1/stage1_final.zip",
        "mine/stage2/stage2_final.zip",
        SHIPPED,
    ]
    assert page.parcel["animals"][0]["name"] == "trex" and len(page.parcel["animals"]) == 3


def test_no_path_of_this_machine_is_in_a_page(run: Path) -> None:
    assert str(run.parent) not in json.dumps(playable_page(run).parcel)


def test_a_stage_of_a_run_can_be_chosen_and_changed(run: Path) -> None:
    page = playable_page(run, 1, overrides=["env.push_velocity_max=0.5"])
    assert page.parcel["start"]["stage"] == 1
    assert stages_of(page.parcel, "trex")[1]["env"]["push_velocity_max"] == 0.5
    assert stages_of(page.parcel, "velociraptor")[1]["env"]["push_velocity_max"] != 0.5


@pytest.mark.parametrize(
    ("source", "arguments", "sentence"),
    [
        (Path("no-such-animal"), {}, "no policy file"),
        (Path("trex"), {"stage": 9}, "no policy of trex stage 9"),
        (Path("trex"), {"species": "velociraptor"}, "the policy is of species 'trex', not 'velociraptor'"),
        (Path("trex"), {"seed": -1}, "seed -1 is out of range"),
        (Path("trex"), {"overrides": ["env.fall_tild=3"]}, "did you mean"),
    ],
)
def test_what_cannot_be_played_is_said(source: Path, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        playable_page(source, **arguments)


def test_a_policy_of_another_body_is_refused(tmp_path: Path) -> None:
    policy = load_policy(shipped_policy("trex", 1))
    (tmp_path / "foreign.zip").write_bytes(replace(policy, layout=(("gravity", 3), *policy.layout[2:])).to_bytes())
    with pytest.raises(UserError, match=r"foreign\.zip is damaged|the policy observes"):
        playable_page(tmp_path / "foreign.zip")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="is not a readable policy"):
        playable_page(tmp_path / "broken.zip")


def test_a_model_of_several_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "trex"
    shutil.copytree(get_species("trex").folder, folder)
    text = (folder / "model.xml").read_text().replace("<asset>", '<asset><mesh name="skull" file="skull.stl"/>')
    (folder / "model.xml").write_text(text)
    with pytest.raises(UserError, match=r"needs other files \('file'\), which a page does not carry"):
        model_text(load_species(folder))


def test_every_constant_of_the_task_is_handed_over() -> None:
    """The page has no numbers of its own; a new field of the body or of the stage reaches it by itself."""
    animal = animal_parcel(get_species("trex"), [])
    assert {"underside", "hip_height", "speed_unit", "time_unit", "weight", "nj", "foot_sensors"} <= animal[
        "anatomy"
    ].keys()
    assert len(animal["anatomy"]["underside"][0]) == 5
