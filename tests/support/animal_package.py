"""Packages of animals as a third party would install them: a module, its species folder, and the entry point."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from mesozoic.species import get_species, stage_files


def copy_animal(folder: Path, name: str = "raptor", stages: tuple[int, ...] = (1, 2, 3)) -> Path:
    """A species folder: our velociraptor under a new name, with its stage files inside."""
    model = get_species("velociraptor")
    (folder / "configs").mkdir(parents=True)
    for file in ("model.xml", "facts.toml"):
        shutil.copy(model.folder / file, folder / file)
    facts = folder / "facts.toml"
    facts.write_text(facts.read_text().replace('name = "velociraptor"', f'name = "{name}"', 1))
    for number, path in stage_files("velociraptor").items():
        if number in stages:
            shutil.copy(path, folder / "configs" / path.name)
    return folder


def install(site: Path, name: str, folder: Path, module: str = "other_animals", value: str = "FOLDER") -> Path:
    """Make `site`, to be put on Python's path, a place where a package that registers `folder` is installed."""
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mesozoic.species]\n{name} = {module}:{value}\n")
    (site / f"{module}.py").write_text(f"from pathlib import Path\n\nFOLDER = Path({str(folder)!r})\nNUMBER = 3\n")
    return site


EXAMPLE = Path(__file__).parents[2] / "examples" / "stepper"


def install_example(site: Path) -> Path:
    """What `pip install --no-deps --target SITE examples/stepper` leaves in `site`, without a network or pip."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))
    name, version = project["project"]["name"].replace("-", "_"), project["project"]["version"]
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(EXAMPLE / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, entries in project["project"]["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site
