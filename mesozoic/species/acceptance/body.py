"""An animal's body as the checks measure it: at home, standing, and how far its parts reach."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import shown
from mesozoic.species.anatomy import Anatomy, anatomy_of
from mesozoic.species.fit import FLOOR, HOME_KEYFRAME, part_names
from mesozoic.species.simulator import mujoco
from mesozoic.species.species import Species

Vector = NDArray[np.float64]
GEOM_TYPES = mujoco.mjtGeom


class Verdict(NamedTuple):
    """Whether a body passed a check, and what was measured beside what was wanted."""

    passed: bool
    figures: str


Check = Callable[["Body"], Verdict]
"""A function named after what it asks for."""


def check_name(check: Check) -> str:
    """`feet carry the weight` for `feet_carry_the_weight`."""
    return check.__name__.replace("_", " ")


def failing(what: str, faults: list[str], fine: str) -> Verdict:
    """Passed with the figures `fine` if there are no faults; else the first fault and how many there are."""
    if not faults:
        return Verdict(True, fine)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Verdict(False, f"{what}: {shown(faults[0], 160)}{more}")


class Body:
    """One animal, compiled.

    Attributes:
        species, model, anatomy: what it was made from.
        feet: ids of all geoms of feet; parts: ids of all geoms of the animal; floor: id of the floor.
    """

    def __init__(self, species: Species) -> None:
        self.species = species
        self.model = species.load_model()
        self.anatomy: Anatomy = anatomy_of(species, self.model)
        self.feet = {geom for foot in self.anatomy.foot_geoms for geom in foot}
        self.parts = [g for g in range(self.model.ngeom) if self.model.geom_bodyid[g] != 0]
        self.floor = int(self.model.geom(FLOOR).id)

    def names(self, kind: str) -> list[str]:
        """Names of all parts of a kind by id, empty for one without."""
        return part_names(self.model, kind)

    def fresh(self) -> mujoco.MjData:
        """The animal at home, all quantities computed."""
        data = mujoco.MjData(self.model)
        mujoco.mj_resetDataKeyframe(self.model, data, self.model.key(HOME_KEYFRAME).id)
        mujoco.mj_forward(self.model, data)
        return data

    @cached_property
    def home(self) -> mujoco.MjData:
        """The same, shared: do not change it."""
        return self.fresh()

    @cached_property
    def rest(self) -> mujoco.MjData:
        """After three seconds of zero action from home; do not change it."""
        data = self.fresh()
        mujoco.mj_step(self.model, data, nstep=self.steps(3.0))
        mujoco.mj_forward(self.model, data)
        return data

    def steps(self, seconds: float) -> int:
        """Physics steps in a time."""
        return round(seconds / float(self.model.opt.timestep))

    def reach(self, data: mujoco.MjData, geom: int, direction: Vector) -> float:
        """How far a geom extends along a world direction [3], measured from the world origin, in metres."""
        model = self.model
        local = data.geom_xmat[geom].reshape(3, 3).T @ direction
        size, kind = model.geom_size[geom], model.geom_type[geom]
        if kind == GEOM_TYPES.mjGEOM_SPHERE:
            extent = size[0]
        elif kind == GEOM_TYPES.mjGEOM_CAPSULE:
            extent = size[0] + size[1] * abs(local[2])
        elif kind == GEOM_TYPES.mjGEOM_ELLIPSOID:
            extent = np.linalg.norm(size * local)
        elif kind == GEOM_TYPES.mjGEOM_BOX:
            extent = size @ np.abs(local)
        elif kind == GEOM_TYPES.mjGEOM_CYLINDER:
            extent = size[0] * np.hypot(local[0], local[1]) + size[1] * abs(local[2])
        else:  # a mesh or a surface: the ball or box around it
            extent = model.geom_rbound[geom]
        return float(data.geom_xpos[geom] @ direction + extent)

    def lowest(self, geom: int) -> float:
        """Height of the lowest point of a geom at home, metres."""
        return -self.reach(self.home, geom, np.array([0.0, 0.0, -1.0]))

    def hip_height(self, data: mujoco.MjData) -> float:
        """Mean height of the joints named `*hip_pitch`; NaN without any."""
        hips = [j for j, name in enumerate(self.names("joint")) if name.endswith("hip_pitch")]
        return float(np.mean(data.xanchor[hips, 2])) if hips else float("nan")
