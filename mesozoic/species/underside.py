"""What of a body must stay above the floor: every part but the feet, reduced to a few spheres.

Only the soles touch the floor in the physics. The task asks that nothing else reaches it, and these spheres tell.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.species.simulator import mujoco

TOLERANCE = 0.02
"""How much lower than the spheres a part may really reach, in hip heights."""
SOLE = 0.05
"""Hip heights; what stands lower than this at home moves with a foot, like its claws, and may touch the floor."""
DIRECTIONS = 100

Vector = NDArray[np.float64]
KINDS = mujoco.mjtGeom


class Underside(NamedTuple):
    """`k` spheres that bodies carry.

    Attributes:
        body [k]: ids of the bodies; centre [k, 3]: in the frame of its body, metres; radius [k]: metres.
    """

    body: NDArray[np.int64]
    centre: NDArray[np.float32]
    radius: NDArray[np.float32]


def underside(model: mujoco.MjModel, feet: Collection[int], home: mujoco.MjData, hip_height: float) -> Underside:
    """The fewest spheres that reach as low as the animal's parts do, whichever way up to 90 degrees these turn.

    Args:
        model: with everything that can be seen.
        feet: ids of the geoms of feet; bodies that hold one are left out, as is what stands below `SOLE` at home.
        home: the standing pose, its kinematics computed; hip_height: metres.
    """
    with_foot = {int(model.geom_bodyid[geom]) for geom in feet}
    down = _lower_hemisphere()
    found: list[tuple[int, Vector, float]] = []
    for body in range(1, model.nbody):
        geoms = np.flatnonzero(model.geom_bodyid == body)
        if body in with_foot or not len(geoms):
            continue
        turn, base = home.xmat[body].reshape(3, 3), home.xpos[body, 2]
        directions = down @ turn
        centres, radii = zip(*(_support(model, int(geom), directions) for geom in geoms), strict=True)
        points, radius = np.stack(centres), np.array(radii)[:, None]
        reach = (points * directions).sum(axis=2) + radius
        reach[base + points @ turn[2] - radius < SOLE * hip_height] = -np.inf
        outer = reach.argmax(axis=0)
        spread = np.arange(len(directions))
        chosen = _fewest(
            points[outer, spread], radius[outer, 0], directions, reach.max(axis=0) - TOLERANCE * hip_height
        )
        found += [(body, points[outer[i], i], float(radius[outer[i], 0])) for i in chosen]
    bodies, middles, sizes = zip(*found, strict=True) if found else ((), np.zeros((0, 3)), ())
    return Underside(
        np.array(bodies, dtype=np.int64), np.array(middles, dtype=np.float32), np.array(sizes, dtype=np.float32)
    )


def _lower_hemisphere() -> Vector:
    """Directions [k, 3] that point down or to the sides, evenly spread (a Fibonacci lattice)."""
    index = np.arange(DIRECTIONS) + 0.5
    z = -index / DIRECTIONS
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    across = np.sqrt(1.0 - z * z)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


def _support(model: mujoco.MjModel, geom: int, directions: Vector) -> tuple[Vector, float]:
    """For each of `directions` [k, 3] the centre, in the body's frame, of a sphere that reaches as far that way as the
    geom does and lies in its hull; and the radius of all these spheres."""
    kind, size, flat = model.geom_type[geom], model.geom_size[geom], np.zeros(9)
    mujoco.mju_quat2Mat(flat, model.geom_quat[geom])
    turn = flat.reshape(3, 3)
    local, radius = directions @ turn, 0.0
    if kind == KINDS.mjGEOM_SPHERE:
        points, radius = np.zeros_like(local), float(size[0])
    elif kind == KINDS.mjGEOM_CAPSULE:
        points, radius = np.sign(local) * [0.0, 0.0, size[1]], float(size[0])
    elif kind == KINDS.mjGEOM_ELLIPSOID:
        points = local * size**2 / np.linalg.norm(local * size, axis=1, keepdims=True)
    elif kind == KINDS.mjGEOM_CYLINDER:
        across = np.maximum(np.linalg.norm(local[:, :2], axis=1, keepdims=True), 1e-12)
        points = np.hstack([size[0] * local[:, :2] / across, size[1] * np.sign(local[:, 2:])])
    elif kind == KINDS.mjGEOM_MESH:
        mesh = int(model.geom_dataid[geom])
        first, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
        corners = model.mesh_vert[first : first + count].astype(np.float64)
        points = corners[(local @ corners.T).argmax(axis=1)]
    else:  # a box, or the box around what is none of these
        points = model.geom_aabb[geom, :3] + np.sign(local) * model.geom_aabb[geom, 3:]
    return model.geom_pos[geom] + points @ turn.T, radius


def _fewest(centres: Vector, radii: Vector, directions: Vector, goal: Vector) -> list[int]:
    """Indices of spheres, chosen one after another, that together reach as far as `goal` [k] in `directions` [k, 3]."""
    reach, best = directions @ centres.T + radii, np.full(len(directions), -np.inf)
    chosen: list[int] = []
    while (best < goal).any():
        covered = np.maximum(best[:, None], reach) >= goal[:, None]
        chosen.append(int(covered.sum(axis=0).argmax()))
        best = np.maximum(best, reach[:, chosen[-1]])
    return chosen
