"""What an animal is: the facts beside its MJCF, read from `facts.toml`.

A species is a folder with two files. `model.xml` is the body; `facts.toml` names the parts of it
that the rest of the package needs (feet, strike sites, action ranges) and the sources of its sizes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mesozoic.errors import UserError, shown

if TYPE_CHECKING:
    from mesozoic.species.simulator import mujoco

FACTS_FILE = "facts.toml"
MODEL_FILE = "model.xml"


@dataclass(frozen=True)
class Foot:
    """One foot: every geom of it that can bear load.

    For each geom `g` the model has a contact sensor named `load_g` against the floor, with one slot for
    each contact point it can have.
    """

    name: str
    geoms: tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """A measured proportion of the animal and where the figure comes from."""

    quantity: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class Species:
    """The facts of one animal.

    Attributes:
        name: registry name, for example `velociraptor`.
        title: scientific name.
        behaviour: what the animal does in stage 3: `strike`, `bite` or `food_reach`.
        folder: where `model.xml` and `facts.toml` lie.
        torso: body with the free joint; its frame (x forward, y left, z up) is the animal's own.
        hip_height: leg length h of the standing animal in metres; speeds scale with sqrt(g*h).
        feet: the feet, in the order of every per-foot array.
        strike_sites: sites that do the striking, biting or reaching in stage 3.
        action_scale: half-range of the action around home per actuator in radians; a key is an
            actuator's name, or the name without its `left_`/`right_`/`front_left_`... prefix.
        sizes: proportions of the real animal with their sources.
        scale: length of the model over length of the real animal; masses scale with its cube.
    """

    name: str
    title: str
    behaviour: str
    folder: Path
    torso: str
    hip_height: float
    feet: tuple[Foot, ...]
    strike_sites: tuple[str, ...]
    action_scale: dict[str, float]
    sizes: tuple[Size, ...]
    scale: float = 1.0

    @property
    def model_path(self) -> Path:
        return self.folder / MODEL_FILE

    def load_model(self) -> mujoco.MjModel:
        """Compile the MJCF. The keyframe `home` is the pose that a zero action holds.

        Raises:
            UserError: there is none, or MuJoCo does not take it.
        """
        from mesozoic.species.model_file import compile_model

        return compile_model(self.model_path)

    def load_physics_model(self) -> mujoco.MjModel:
        """Compile the body without what only looks: the same motion bit for bit, fewer geoms, other geom ids.

        Raises:
            UserError: as `load_model`.
        """
        from mesozoic.species.model_file import compile_model

        return compile_model(self.model_path, visual=False)


def load_species(folder: Path) -> Species:
    """Read a species folder.

    Raises:
        UserError: `facts.toml` is missing, is not TOML, or has a field that is missing, unknown or wrong.
    """
    from mesozoic.species.facts import read_facts  # here, so that names are known without loading pydantic

    path = folder / FACTS_FILE
    if not os.path.exists(path):  # unlike Path.exists, also answers for names that are too long
        raise UserError(f"species folder {shown(str(folder), 120)} has no {FACTS_FILE}; add one as in the README")
    facts = read_facts(path)
    return Species(
        name=facts.name,
        title=facts.title,
        behaviour=facts.behaviour,
        folder=folder,
        torso=facts.torso,
        hip_height=facts.hip_height,
        feet=tuple(Foot(foot.name, tuple(foot.geoms)) for foot in facts.feet),
        strike_sites=tuple(facts.strike_sites),
        action_scale=dict(facts.action_scale),
        sizes=tuple(Size(**size.model_dump()) for size in facts.sizes),
        scale=facts.scale,
    )
