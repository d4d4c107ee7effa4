"""Array types of the task, and the one place that says which array libraries it runs on.

Every function of the task takes `xp`, the module `numpy` or `jax.numpy`, and arrays `[n, ...]` of it.
No function writes into an array it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mesozoic.task.constants import single

Array = Any
"""A float32, int32 or bool array of numpy or jax.numpy."""

XP = Any
"""The module `numpy` or `jax.numpy`."""


def columns(xp: XP, parts: Sequence[Array]) -> Array:
    """Arrays [n] of one type side by side, [n, len(parts)]."""
    if xp is not np:
        return xp.stack(parts, axis=1)
    table = np.empty((len(parts[0]), len(parts)), dtype=parts[0].dtype)  # for one world a fifth of the time of `stack`
    for i, part in enumerate(parts):
        table[:, i] = part
    return table


def mean(xp: XP, rows: Array) -> Array:
    """Means of float32 rows [n, k], [n]."""
    return xp.add.reduce(rows, axis=1) / single(rows.shape[1])


def nowhere(xp: XP, mask: Array) -> bool:
    """Whether `mask` is known to hold nowhere, so that what is done where it holds may be left out.

    False under `jax.numpy`, where nothing is known of values while a function is compiled.
    """
    return xp is np and not np.count_nonzero(mask)


class Sensed(NamedTuple):
    """What an engine reports after a control step. Positions and velocities are current.

    Attributes:
        qpos [n, nq], qvel [n, nv]: MuJoCo's generalised position and velocity.
        foot_force [n, nfeet]: vertical floor force on each foot in newtons, mean over the sub-steps.
        actuator_force [n, nu]: servo torques in N*m at the last sub-step.
        site_pos [n, nsites, 3]: world positions of the strike sites, one sub-step old.
        foot_pos [n, nfeet, 3]: world positions of the feet (centre of their geoms), one sub-step old.
        clearance [n]: height of the lowest point of all parts but the feet over the floor, metres, one sub-step old.
        diverged [n]: the physics of this world broke down (MuJoCo warning or a value that is not finite).
    """

    qpos: Array
    qvel: Array
    foot_force: Array
    actuator_force: Array
    site_pos: Array
    foot_pos: Array
    clearance: Array
    diverged: Array


class TaskState(NamedTuple):
    """The task's own state of each world.

    Attributes:
        step [n] int32: control steps since the reset.
        prev_action [n, nu]: the last action, clipped to [-1, 1].
        origin [n, 2]: where the episode began, metres.
        target [n, 3]: world point that the animal should face, walk to or reach, metres.
        phase [n]: gait clock in strides, 0 to 1.
        gap [n]: distance of the nearest strike site to the target at the last step, hip heights.
        foot_pos [n, nfeet, 3]: where the feet were at the last step, metres.
        struck [n] int32: control steps since the target was reached; -1 before.
        push_start [n, k] int32: step at which each push of the episode begins.
        push_velocity [n, k, 2]: velocity change that each push gives, world frame, m/s.
    """

    step: Array
    prev_action: Array
    origin: Array
    target: Array
    phase: Array
    gap: Array
    foot_pos: Array
    struck: Array
    push_start: Array
    push_velocity: Array


class Kinematics(NamedTuple):
    """The torso seen from the animal itself; speeds are divided by sqrt(g*h), lengths by h.

    Attributes:
        gravity [n, 3]: direction of gravity in the torso frame; (0, 0, -1) when upright.
        lin_vel, ang_vel [n, 3]: velocities in the torso frame.
        yaw_rate [n]: turning speed about the vertical.
        height [n]: torso height over the home height, 1 when standing.
        clearance [n]: height of the lowest point of all parts but the feet.
        ground_speed [n]: horizontal speed in any direction.
        approach_speed [n]: horizontal speed towards the target.
        target_dir [n, 2]: cosine and sine of the bearing of the target from the torso's heading.
        target_distance [n]: horizontal distance to the target.
        target_near [n, 3]: the target in the torso frame, cut off at a length of 2.
        gap [n]: distance of the nearest strike site to the target.
        displacement [n]: horizontal distance from where the episode began.
        foot_load [n, nfeet]: floor force on each foot as a share of body weight.
        foot_lift [n, nfeet]: height of each foot above where it stands at home.

    Once the target is reached it is gone: direction ahead, distance 0.
    """

    gravity: Array
    lin_vel: Array
    ang_vel: Array
    yaw_rate: Array
    height: Array
    clearance: Array
    ground_speed: Array
    approach_speed: Array
    target_dir: Array
    target_distance: Array
    target_near: Array
    gap: Array
    displacement: Array
    foot_load: Array
    foot_lift: Array


class Step(NamedTuple):
    """What one control step means.

    Attributes:
        state: the next state.
        observation [n, nobs]: float32.
        rewards: reward term -> [n], weights applied; the reward is their sum.
        reasons: why an episode ended -> [n] bool.
        succeeded [n] bool: the target was reached and the animal still stood a moment later.
        terminated, truncated [n] bool: the episode failed or succeeded, or ran out of time.
    """

    state: TaskState
    observation: Array
    rewards: dict[str, Array]
    reasons: dict[str, Array]
    succeeded: Array
    terminated: Array
    truncated: Array
