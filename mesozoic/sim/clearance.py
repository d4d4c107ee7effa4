"""How far above the floor everything but the feet is."""

from __future__ import annotations

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array


def clearance(xp: XP, anatomy: Anatomy, xpos: Array, xmat: Array) -> Array:
    """Height of the lowest point of all parts but the feet, [...] metres, from the frames of the bodies.

    Args:
        xpos [..., nbody, 3], xmat [..., nbody, 9]: positions and rotation matrices, as MuJoCo gives them.
    """
    height_and_row = xp.concatenate([xpos[..., 2:], xmat[..., 6:]], axis=-1)
    flat = height_and_row.reshape(*height_and_row.shape[:-2], -1)
    heights = flat @ anatomy.underside - anatomy.underside_radius
    return xp.min(heights, axis=-1, initial=anatomy.hip_height)
