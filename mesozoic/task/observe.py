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

    `unit` and `meaning` are for those who fill it elsewhere; h is the hip height, g gravity, m*g the weight.
    """

    name: str
    size: int
    standardise: bool = True
    unit: str = ""
    meaning: str = ""


def observation_layout(anatomy: Anatomy) -> tuple[Block, ...]:
    """Names and sizes of the observation's parts, in order. The same in every stage of an animal."""
    joints = anatomy.nj
    own = "in the torso's frame (x forward, y left, z up)"
    return (
        Block("gravity", 3, unit="1", meaning=f"direction of gravity {own}; 0 0 -1 when upright"),
        Block("lin_vel", 3, unit="sqrt(g*h)", meaning=f"velocity of the torso {own}"),
        Block("ang_vel", 3, unit="sqrt(g/h)", meaning=f"angular velocity of the torso {own}"),
        Block("height", 1, unit="home height of the torso", meaning="height of the torso, less 1"),
        Block("joint_pos", joints, unit="rad", meaning="joint angles less those of the home pose, in joint order"),
        Block("joint_vel", joints, unit="sqrt(g/h)", meaning="joint rates, in joint order"),
        Block("foot_load", len(anatomy.foot_names), unit="m*g", meaning="vertical floor force on each foot"),
        Block("prev_action", anatomy.nu, unit="1", meaning="the action before, cut to [-1, 1]; 0 at first"),
        Block("target_dir", 2, False, "1", "cosine and sine of the target's bearing from the torso's heading"),
        Block("target_distance", 1, False, f"{TARGET_REACH:g} h", "horizontal distance to the target, 1 at most"),
        Block("target_near", 3, False, "h", f"the target {own}, cut off at a length of 2"),
        Block("command", 1, False, "sqrt(g*h)", "speed asked for; 0 once the target is reached"),
        Block("clock", 2, False, "1", "sine and cosine of the gait clock; 0 0 in a stage without one"),
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
