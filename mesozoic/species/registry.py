"""Finds species: folders of this package, and folders that other packages register.

A third party registers an animal without touching this package::

    [project.entry-points."mesozoic.species"]
    triceratops = "my_package.triceratops:FOLDER"   # a pathlib.Path to the species folder
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from mesozoic.errors import UserError, did_you_mean
from mesozoic.species.species import FACTS_FILE, Species, load_species

ENTRY_POINT_GROUP = "mesozoic.species"


def _built_in() -> dict[str, Path]:
    here = Path(__file__).parent
    return {path.parent.name: path.parent for path in sorted(here.glob(f"*/{FACTS_FILE}"))}


def species_names() -> list[str]:
    """Names of all species, built-in ones first."""
    names = list(_built_in())
    names += sorted(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP) if entry.name not in names)
    return names


def get_species(name: str) -> Species:
    """Load a species by name.

    Raises:
        UserError: no species has that name.
    """
    built_in = _built_in()
    if name in built_in:
        return load_species(built_in[name])
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name == name:
            return load_species(Path(entry.load()))
    known = species_names()
    raise UserError(f"unknown species '{name}'{did_you_mean(name, known)} (known: {', '.join(known)})")
