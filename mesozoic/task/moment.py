"""What a reward term may look at."""

from __future__ import annotations

from typing import NamedTuple

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import Array, Kinematics, Memory, Sensed


class Moment(NamedTuple):
    """One control step: what was sensed, and the memory before and after it.

    `memory.prev_action` is the action of this step, `before.prev_action` the one before. `hit` and
    `succeeded` [n] bool: the target was reached in this step; it was, and the animal still stands.
    """

    anatomy: Anatomy
    env: EnvSection
    sensed: Sensed
    kin: Kinematics
    before: Memory
    memory: Memory
    fallen: Array
    hit: Array
    succeeded: Array
