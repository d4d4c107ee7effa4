"""How far above the floor everything but the feet is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array
from mesozoic.task.constants import once


def clearance(xp: XP, anatomy: Anatomy, xpos: Array, xmat: Array) -> Array:
    """Height of the lowest point of all parts but the feet, [...] metres, from the frames of the bodies.

    Args:
        xpos [..., nbody, 3], xmat [..., nbody, 9]: positions and rotation matrices, as MuJoCo gives them.
    """
    height_and_row = xp.concatenate([xpos[..., 2:], xmat[..., 6:]], axis=-1)
    flat = height_and_row.reshape(*height_and_row.shape[:-2], -1)
    same = flat.dtype == np.float32
    underside, radius = (anatomy.underside, anatomy.underside_radius) if same else _in_double(anatomy)
    heights = flat @ underside - radius
    return xp.minimum.reduce(heights, axis=-1, initial=anatomy.hip_height)


@once
def _in_double(anatomy: Anatomy) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As NumPy would make them anew for every product with positions in double precision."""
    return anatomy.underside.astype(np.float64), anatomy.underside_radius.astype(np.float64)
