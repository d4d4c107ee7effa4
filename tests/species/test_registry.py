"""How animals are found: built in, or brought by another package."""

from __future__ import annotations

import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mesozoic.errors import UserError
from mesozoic.species import get_species, load_species, registry, species_names


@pytest.mark.parametrize("name", species_names())
def test_an_animal_is_found_under_its_own_name(name: str) -> None:
    species = get_species(name)
    assert species.name == name
    assert species.model_path.is_file()
    assert species.behaviour in ("strike", "bite", "food_reach")


def test_an_unknown_name_is_told_the_closest() -> None:
    with pytest.raises(UserError, match="did you mean 'velociraptor'"):
        get_species("velocirapter")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A species folder of another package: our velociraptor under a new name."""
    shutil.copytree(get_species("velociraptor").folder, tmp_path / "raptor")
    facts = tmp_path / "raptor" / "facts.toml"
    facts.write_text(facts.read_text().replace('name = "velociraptor"', 'name = "raptor"', 1))
    return tmp_path / "raptor"


def test_another_package_can_bring_an_animal(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other_animals.py").write_text(f"from pathlib import Path\nFOLDER = Path({str(folder)!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("raptor", "other_animals:FOLDER", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == "mesozoic.species" else [])
    assert species_names()[-1] == "raptor"
    assert "velociraptor" in species_names()
    assert get_species("raptor").load_model().nu > 0


def test_a_built_in_animal_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("velociraptor", "nowhere:FOLDER", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    assert species_names().count("velociraptor") == 1
    assert get_species("velociraptor").folder != folder


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("torso = ", "trunk = ", "'torso'"),
        ("hip_height = 0.50", 'hip_height = "tall"', "hip_height|tall"),
        ("[action_scale]", "[[action_scale]]", "malformed|action_scale"),
        ("[[feet]]", "[[feet", "not valid TOML"),
        ("unit = ", "units = ", "malformed"),
    ],
)
def test_malformed_facts_are_explained(folder: Path, old: str, new: str, expected: str) -> None:
    facts = folder / "facts.toml"
    text = facts.read_text()
    assert old in text
    facts.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=expected):
        load_species(folder)


def test_a_folder_without_facts_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"facts\.toml"):
        load_species(tmp_path)
