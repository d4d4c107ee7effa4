"""Finds species: folders of this package, and folders that other packages register.

A third party registers an animal without touching this package::

    [project.entry-points."mesozoic.species"]
    triceratops = "my_package.triceratops:FOLDER"   # a pathlib.Path to the species folder
"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mesozoic.errors import UserError, did_you_mean
from mesozoic.species.species import FACTS_FILE, Species, load_species

ENTRY_POINT_GROUP = "mesozoic.species"
BUILT_IN = Path(__file__).parent


def _built_in() -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(BUILT_IN.glob(f"*/{FACTS_FILE}"))}


def species_names() -> list[str]:
    """Names of all species, built-in ones first."""
    names = list(_built_in())
    return names + sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)} - set(names))


def species_folder(name: str) -> Path:
    """Where the files of a species lie.

    Raises:
        UserError: no species has that name, or the package that registers it cannot be asked.
    """
    built_in = _built_in()
    if name in built_in:
        return built_in[name]
    found = {entry.value: entry for entry in entry_points(group=ENTRY_POINT_GROUP) if entry.name == name}
    if len(found) > 1:
        raise UserError(
            f"species '{name}' is registered twice, as {' and '.join(sorted(found))}; uninstall one package"
        )
    if not found:
        known = species_names()
        raise UserError(f"unknown species '{name}'{did_you_mean(name, known)} (known: {', '.join(known)})")
    return _registered_folder(*found.values())


def _registered_folder(entry: EntryPoint) -> Path:
    where = f"species '{entry.name}': entry point '{entry.value}'"
    try:
        value = entry.load()
    except (Exception, SystemExit) as error:  # whatever the other package does while it is imported
        said = " ".join(str(error).split())[:120]
        raise UserError(f"{where} fails ({type(error).__name__}: {said}); mend or uninstall that package") from error
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"{where} is a {type(value).__name__}; it must be the path of a species folder")
    folder = Path(value)
    if not folder.is_dir():
        raise UserError(f"{where} is the path {folder}, which is no folder; correct or reinstall that package")
    return folder


def get_species(name: str) -> Species:
    """Load a species by name.

    Raises:
        UserError: no species has that name, or its facts are wrong.
    """
    species = load_species(species_folder(name))
    if species.name != name:
        raise UserError(
            f"species '{name}': {species.folder / FACTS_FILE} says name = '{species.name}'; both must be the same"
        )
    return species
