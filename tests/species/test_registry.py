"""How animals are found: built in, or brought by another package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.animal_package import copy_animal, install

from mesozoic.errors import UserError
from mesozoic.gym.registration import register_envs
from mesozoic.species import get_species, species_names


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
    """A species folder of another package."""
    return copy_animal(tmp_path / "raptor")


def test_another_package_can_bring_an_animal(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", "raptor", folder, "bringing_one"))
    assert species_names()[-1] == "raptor"
    assert "velociraptor" in species_names()
    assert get_species("raptor").load_model().nu > 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("NUMBER", "is a int; it must be the path of a species folder"),
        ("NOWHERE", "fails (AttributeError"),
        ("MISSING", "which is no folder"),
        ("INSIDE", "facts.toml"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_told_when_it_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, says: str
) -> None:
    site = install(tmp_path / "site", "raptor", folder, f"brings_{value.lower()}", value)
    with (site / f"brings_{value.lower()}.py").open("a") as module:
        module.write("MISSING = FOLDER / 'gone'\nINSIDE = FOLDER / 'configs'\n")
    monkeypatch.syspath_prepend(site)
    assert "raptor" in species_names()
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        get_species("raptor")
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("code", ["import nothing_like_it", "1 / 0", "raise SystemExit(3)", "def", "'\\x00' + 1"])
def test_a_package_that_cannot_be_imported_is_told_and_hides_no_other_animal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str
) -> None:
    module = f"broken_{abs(hash(code))}"
    site = install(tmp_path / "site", "raptor", folder, module)
    (site / f"{module}.py").write_text(code + "\n")
    monkeypatch.syspath_prepend(site)
    with pytest.raises(UserError, match=rf"entry point '{module}:FOLDER' fails .* mend or uninstall that package"):
        get_species("raptor")
    register_envs()
    assert get_species("trex").name == "trex"


def test_two_packages_that_bring_one_name_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("bringing_first", "bringing_second"):
        monkeypatch.syspath_prepend(install(tmp_path / module, "raptor", folder, module))
    with pytest.raises(UserError, match="registered twice, as bringing_first:FOLDER and bringing_second:FOLDER"):
        get_species("raptor")


def test_an_animal_is_registered_under_the_name_in_its_facts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", "allosaurus", folder, "bringing_other"))
    with pytest.raises(UserError, match=r"facts\.toml says name = 'raptor'; both must be the same"):
        get_species("allosaurus")


def test_a_built_in_animal_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", "velociraptor", folder, "bringing_ours"))
    assert species_names().count("velociraptor") == 1
    assert get_species("velociraptor").folder != folder
