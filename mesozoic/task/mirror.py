"""The animal's mirror image: which observation and action entries swap sides, and which change sign.

Left and right of an animal are mirror images, so the mirror image of anything it experiences is as
true as the thing itself. A learner can use that to learn both sides from either one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.species.anatomy import FREE_QVEL, Anatomy
from mesozoic.task.observe import observation_layout


class Mirror(NamedTuple):
    """`x[..., source] * sign` is the mirror image of `x`; source int64 and sign float32, both [size]."""

    source: NDArray[np.int64]
    sign: NDArray[np.float32]


def mirror_action(anatomy: Anatomy) -> Mirror:
    """The mirror image of an action [..., nu]."""
    joint = anatomy.actuator_qvel - FREE_QVEL
    actuator = {int(j): i for i, j in enumerate(joint)}
    index = np.array([actuator[int(anatomy.joint_mirror[j])] for j in joint], dtype=np.int64)
    return Mirror(index, anatomy.joint_mirror_sign[joint])


def mirror_observation(anatomy: Anatomy) -> Mirror:
    """The mirror image of an observation [..., nobs], in the plane that halves the animal.

    Vectors change the sign of y; rotations, being pseudovectors, of x and z.
    """
    joints = Mirror(anatomy.joint_mirror, anatomy.joint_mirror_sign)
    feet = Mirror(anatomy.foot_mirror, np.ones(len(anatomy.foot_names), dtype=np.float32))
    parts = {
        "gravity": _signs(1, -1, 1),
        "lin_vel": _signs(1, -1, 1),
        "ang_vel": _signs(-1, 1, -1),
        "height": _signs(1),
        "joint_pos": joints,
        "joint_vel": joints,
        "foot_load": feet,
        "prev_action": mirror_action(anatomy),
        "target_dir": _signs(1, -1),
        "target_distance": _signs(1),
        "target_near": _signs(1, -1, 1),
        "command": _signs(1),
        "clock": _signs(-1, -1),  # the other side is half a stride later
    }
    index, sign, start = [], [], 0
    for block in observation_layout(anatomy):
        part = parts[block.name]
        index.append(part.source + start)
        sign.append(part.sign)
        start += block.size
    return Mirror(np.concatenate(index), np.concatenate(sign))


def _signs(*signs: int) -> Mirror:
    return Mirror(np.arange(len(signs)), np.array(signs, dtype=np.float32))
