"""Where the stage files of an animal lie, and the loader of one stage by its animal's name.

An animal brings them in its own folder, `<folder>/configs/stage1_balance.toml` and so on, as many as it has stages.
Those of the built-in animals lie in `configs/<species>/` of a checkout, and inside an installed package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mesozoic.errors import UserError
from mesozoic.species.registry import BUILT_IN, species_folder

if TYPE_CHECKING:
    from mesozoic.config import Override, StageConfig

FOLDER = "configs"
STAGE_FILE = re.compile(r"stage([1-9][0-9]?)_([a-z][a-z0-9_]*)\.toml")
EXAMPLE = "stage1_balance.toml"


def configs_folder() -> Path:
    """The folder of the built-in animals' stage files: inside the installed package, else `configs/` of the checkout.

    Raises:
        UserError: neither exists.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_configs", package.parent / FOLDER):
        if folder.is_dir():
            return folder
    raise UserError(f"no stage files beside {package}; reinstall with 'pip install mesozoic'")


def stage_files_in(folder: Path) -> dict[int, Path]:
    """Stage number -> file of every stage of the animal in a species folder, in order.

    Raises:
        UserError: there are none, two have one number, or a file has a name that none can have.
    """
    inside = folder / FOLDER
    if not inside.is_dir() and folder.parent == BUILT_IN:
        inside = configs_folder() / folder.name
    found: dict[int, Path] = {}
    for path in sorted(inside.glob("[sS]tage*.toml")):
        name = STAGE_FILE.fullmatch(path.name)
        if name is None:
            raise UserError(f"{path}: a stage file is named stage<number>_<name>.toml, like {EXAMPLE}; rename it")
        number = int(name[1])
        if number in found:
            raise UserError(f"{path} and {found[number].name} are both stage {number}; renumber or remove one")
        found[number] = path
    if not found:
        raise UserError(f"there are no stage files in {inside}; add one, for example {inside / EXAMPLE}")
    return dict(sorted(found.items()))


def stage_files(species: str) -> dict[int, Path]:
    """Stage number -> file of every stage that `species` has, in order.

    Raises:
        UserError: no such species, or its stage files are wrong.
    """
    return stage_files_in(species_folder(species))


def stage_name(path: Path) -> str:
    """`balance` for `stage1_balance.toml`."""
    return path.stem.partition("_")[2]


def has_device_table(species: str, stage: int) -> bool:
    """Whether a stage file says what is otherwise on a device engine; not if it cannot be read, which loading it says.

    Raises:
        UserError: no such species, or its stage files are wrong.
    """
    from mesozoic.config.load import has_device_table

    return has_device_table(stage_files(species)[stage])


def load_stage(species: str, stage: int, overrides: Iterable[Override] = (), device: bool = False) -> StageConfig:
    """Load stage `stage` of `species` with `overrides` applied in order, on top of its `[device]` table for a
    `device` engine.

    Raises:
        UserError: no such species or stage, or the configuration is not valid.
    """
    from mesozoic.config import load_file  # here, so that the names of stages are known without reading any

    files = stage_files(species)
    if stage not in files:
        raise UserError(f"{species} has no stage {stage}; it has {', '.join(map(str, files))}")
    config = load_file(files[stage], overrides, stage, device)
    if config.stage.number != stage:
        raise UserError(f"{files[stage]}: stage.number is {config.stage.number}, but the file's name says {stage}")
    return config
