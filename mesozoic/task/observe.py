"""The observation: its layout, and how it is filled."""

from __future__ import annotations

from typing import NamedTuple

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import FREE_QPOS, FREE_QVEL, Anatomy
from mesozoic.task.arrays import XP, Array, Kinematics, Sensed, TaskState
from mesozoic.task.constants import single
from mesozoic.task.gait_clock import clock, commanded_speed

TARGET_REACH = single(10.0)
"""Distances to the target are observed up to this many hip heights."""


class Block(NamedTuple):
    """A named run of the observation.

    `standardise` says whether a learner may shift and scale it by its running mean and deviation. A
    command must not be: it hardly varies in one stage and ranges widely in the next.
    """

    name: str
    size: int
    standardise: bool = True


def observation_layout(anatomy: Anatomy) -> tuple[Block, ...]:
    """Names and sizes of the observation's parts, in order. The same in every stage of an animal."""
    joints = anatomy.nj
    return (
        Block("gravity", 3),
        Block("lin_vel", 3),
        Block("ang_vel", 3),
        Block("height", 1),
        Block("joint_pos", joints),
        Block("joint_vel", joints),
        Block("foot_load", len(anatomy.foot_names)),
        Block("prev_action", anatomy.nu),
        Block("target_dir", 2, standardise=False),
        Block("target_distance", 1, standardise=False),
        Block("target_near", 3, standardise=False),
        Block("command", 1, standardise=False),
        Block("clock", 2, standardise=False),
    )


def layout_of(anatomy: Anatomy) -> tuple[tuple[str, int], ...]:
    """The layout as policy files state it: names and sizes."""
    return tuple((block.name, block.size) for block in observation_layout(anatomy))


def observation_size(anatomy: Anatomy) -> int:
    """Length of one observation."""
    return sum(block.size for block in observation_layout(anatomy))


def observe(xp: XP, anatomy: Anatomy, env: EnvSection, state: TaskState, sensed: Sensed, kin: Kinematics) -> Array:
    """Fill the observation, float32 [n, nobs]. Everything in it is egocentric and of order one."""
    joint_pos = sensed.qpos[:, FREE_QPOS:] - anatomy.home_qpos[None, FREE_QPOS:]
    joint_vel = sensed.qvel[:, FREE_QVEL:] * single(anatomy.time_unit)
    reach = xp.minimum(kin.target_distance, TARGET_REACH) / TARGET_REACH
    parts = [
        kin.gravity,
        kin.lin_vel,
        kin.ang_vel,
        kin.height[:, None] - single(1.0),
        joint_pos,
        joint_vel,
        kin.foot_load,
        state.prev_action,
        kin.target_dir,
        reach[:, None],
        kin.target_near,
        commanded_speed(xp, env, state)[:, None],
        clock(xp, env, state),
    ]
    return xp.concatenate(parts, axis=1)
