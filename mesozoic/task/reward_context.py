"""What a reward term may look at."""

from __future__ import annotations

from typing import NamedTuple

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import Array, Kinematics, Sensed, TaskState


class RewardContext(NamedTuple):
    """One control step: what was sensed, and the task state before and after it.

    `after.prev_action` is the action of this step, `before.prev_action` the one before. `hit` and
    `succeeded` [n] bool: the target was reached in this step; it was, and the animal still stands.
    """

    anatomy: Anatomy
    env: EnvSection
    sensed: Sensed
    kin: Kinematics
    before: TaskState
    after: TaskState
    fallen: Array
    hit: Array
    succeeded: Array
