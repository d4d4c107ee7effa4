"""Whether a stage and an animal fit together."""

from __future__ import annotations

import numpy as np

from mesozoic.config import EnvSection
from mesozoic.errors import UserError
from mesozoic.species.anatomy import Anatomy


def check_stage(anatomy: Anatomy, env: EnvSection) -> None:
    """Refuse a gait that the animal cannot have.

    Raises:
        UserError: the number of offsets is not the number of feet, or left and right feet are not half a
            stride apart.
    """
    if env.gait_frequency == 0.0:
        return
    feet, offsets = anatomy.foot_names, np.array(env.gait_offsets)
    if len(offsets) != len(feet):
        raise UserError(
            f"env.gait_offsets has {len(offsets)} numbers, but {anatomy.name} has {len(feet)} feet"
            f" ({', '.join(feet)}); give one for each"
        )
    apart = (offsets[anatomy.foot_mirror] - offsets) % 1.0
    if not np.allclose(apart, 0.5):
        raise UserError(
            f"env.gait_offsets = {list(env.gait_offsets)} must put left and right feet half a stride apart,"
            f" in the order {', '.join(feet)}; change one of each pair by 0.5"
        )
