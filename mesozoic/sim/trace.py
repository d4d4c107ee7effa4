"""A trace: what is recorded of every step of a batch, for figures and pictures that need whole episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesozoic.sim.batch_env import BatchEnv
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.kinematics import mechanical_power

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trace:
    """`m` episodes of up to T control steps; entry t is after step t, the pose at reset is not in it.

    Attributes:
        dt: seconds of one control step; speed_unit: sqrt(g*h) in m/s; hip_height: m; weight: N.
        foot_names, foot_mirror [nfeet]: as in the anatomy.
        length [m]: steps of each episode; rows beyond it carry no meaning.
        foot_load [T, m, nfeet]: floor force as a share of body weight, mean over the control step.
        foot_pos [T, m, nfeet, 3]: metres; torso_pos [T, m, 3]: metres; yaw [T, m]: radians.
        power [T, m]: mechanical power of all servos, the sum of |torque * velocity|, watts.
        direction [m, 2]: horizontal unit vector from the start to the target.
    """

    dt: float
    speed_unit: float
    hip_height: float
    weight: float
    foot_names: tuple[str, ...]
    foot_mirror: NDArray[np.int64]
    length: NDArray[np.int64]
    foot_load: Floats
    foot_pos: Floats
    torso_pos: Floats
    yaw: Floats
    power: Floats
    direction: Floats


class TraceRecorder:
    """Collects a `Trace` from an environment, a step at a time."""

    def __init__(self, env: BatchEnv) -> None:
        self._env = env
        ahead = env.task_state.target[:, :2] - env.task_state.origin
        self._direction = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
        self._rows: list[tuple[Floats, ...]] = []

    def add(self) -> None:
        """Record the step just taken."""
        anatomy, sensed = self._env.anatomy, self._env.sensed
        w, x, y, z = (sensed.qpos[:, i] for i in (3, 4, 5, 6))
        yaw = np.arctan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))
        power = mechanical_power(np, anatomy, sensed)
        load = sensed.foot_force / np.float32(anatomy.weight)
        self._rows.append((load, sensed.foot_pos, sensed.qpos[:, :3], yaw, power))

    def trace(self, length: NDArray[np.int64]) -> Trace:
        """Everything recorded, for episodes of `length` [m] steps."""
        anatomy: Anatomy = self._env.anatomy
        load, foot_pos, torso_pos, yaw, power = (np.stack(parts) for parts in zip(*self._rows, strict=True))
        return Trace(
            dt=anatomy.dt,
            speed_unit=anatomy.speed_unit,
            hip_height=anatomy.hip_height,
            weight=anatomy.weight,
            foot_names=anatomy.foot_names,
            foot_mirror=anatomy.foot_mirror,
            length=length,
            foot_load=load,
            foot_pos=foot_pos,
            torso_pos=torso_pos,
            yaw=yaw,
            power=power,
            direction=self._direction,
        )
