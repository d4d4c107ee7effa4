"""Finds species: folders of this package, and folders that other packages register.

A third party registers an animal without touching this package::

    [project.entry-points."mesozoic.species"]
    triceratops = "my_package.triceratops:FOLDER"   # a pathlib.Path to the species folder

That module is imported whenever `mesozoic` is, so that its Gymnasium ids are known; it should import nothing heavy, and
`mesozoic` only after it has set FOLDER.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mesozoic.errors import UserError, did_you_mean
from mesozoic.species.species import FACTS_FILE, Species, load_species

ENTRY_POINT_GROUP = "mesozoic.species"
BUILT_IN = Path(__file__).resolve().parent
_known_here: dict[str, Path] = {}


def _built_in() -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(BUILT_IN.glob(f"*/{FACTS_FILE}"))}


def species_names() -> list[str]:
    """Names of all species, built-in ones first."""
    names = [*_built_in(), *(name for name in _known_here if name not in _built_in())]
    return names + sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)} - set(names))


@contextmanager
def known_here(name: str, folder: Path) -> Iterator[None]:
    """Make a species folder known under a name in this process, before any registered one, while the block runs."""
    _known_here[name] = folder
    try:
        yield
    finally:
        del _known_here[name]


def species_folder(name: str) -> Path:
    """Where the files of a species lie.

    Raises:
        UserError: no species has that name, or the package that registers it cannot be asked.
    """
    known = {**_built_in(), **_known_here}
    if name in known:
        return known[name]
    found = {entry.value: entry for entry in entry_points(group=ENTRY_POINT_GROUP) if entry.name == name}
    if len(found) > 1:
        raise UserError(
            f"species '{name}' is registered twice, as {' and '.join(sorted(found))}; uninstall one package"
        )
    if not found:
        names = species_names()
        raise UserError(f"unknown species '{name}'{did_you_mean(name, names)} (known: {', '.join(names)})")
    return _registered_folder(*found.values())


def is_built_in(name: str) -> bool:
    """Whether a species is part of this package, and so of every machine that it is installed on."""
    return name in _built_in()


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
