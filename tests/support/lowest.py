"""The lowest point of what can be seen of an animal, geom by geom, apart from the product's own reckoning."""

from __future__ import annotations

import mujoco
import numpy as np

from mesozoic.species import Species

KINDS = mujoco.mjtGeom


def lowest_point_but_feet(
    species: Species, model: mujoco.MjModel, data: mujoco.MjData, sole: float
) -> tuple[float, float]:
    """Height of the lowest point of all bodies without a foot, in hip heights: of every geom, and of those only that
    stand `sole` hip heights or more above the floor in the pose of the first keyframe."""
    feet = {int(model.geom(geom).bodyid[0]) for foot in species.feet for geom in foot.geoms}
    home = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, home, 0)
    mujoco.mj_kinematics(model, home)
    every, high = np.inf, np.inf
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] in feet | {0}:
            continue
        surface = _surface(model, geom)
        at_home, now = (
            float((d.geom_xpos[geom, 2] + surface @ d.geom_xmat[geom].reshape(3, 3)[2]).min()) for d in (home, data)
        )
        every = min(every, now)
        high = min(high, now) if at_home >= sole * species.hip_height else high
    return every / species.hip_height, high / species.hip_height


def _surface(model: mujoco.MjModel, geom: int) -> np.ndarray:
    """Points all over the surface of a geom, in its own frame, [k, 3]."""
    index = np.arange(400) + 0.5
    z, angle = 1.0 - 2.0 * index / 400, np.pi * (1.0 + np.sqrt(5.0)) * index
    ball = np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], axis=1)
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == KINDS.mjGEOM_ELLIPSOID:
        return ball * size
    if kind == KINDS.mjGEOM_SPHERE:
        return ball * size[0]
    assert kind == KINDS.mjGEOM_CAPSULE, "another kind of geom: add its surface here"
    return np.concatenate([ball * size[0] + [0, 0, end * size[1]] for end in (-1.0, 1.0)])
