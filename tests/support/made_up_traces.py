"""Made-up traces: animals that move exactly as they are told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesozoic.sim.trace import Trace

DT, SPEED_UNIT, HIP_HEIGHT, WEIGHT = 0.02, 2.0, 1.0, 100.0
"""sqrt(h/g) is half a second, so that the figures begin after 2 s, 100 steps."""


@dataclass(frozen=True)
class Walk:
    """An animal whose feet, torso and servos do the same in every stride, from the first step on.

    Attributes:
        period: control steps of one stride; duty: share of it in which each foot stands.
        lags: by how much of a stride each foot lands after the beginning of a stride.
        speed: forward, m/s; aside: sideways, m/s; turn: rad/s; yaw: at the beginning, rad.
        power: watts; slip: speed of a standing foot, m/s; bearing: of the target in the world, rad.
        steps: how long the episode is.
    """

    period: float = 50.0
    duty: float = 0.6
    lags: tuple[float, ...] = (0.0, 0.5)
    speed: float = 1.0
    aside: float = 0.0
    turn: float = 0.0
    yaw: float = 0.0
    power: float = 50.0
    slip: float = 0.0
    bearing: float = 0.0
    steps: int = 500

    def contact(self) -> NDArray[np.bool_]:
        """Which foot stands when, [steps, nfeet]."""
        times = np.arange(self.steps)[:, None] - np.array(self.lags) * self.period
        return (times + 1e-9) % self.period < self.duty * self.period - 1e-6


Make = Callable[..., Trace]
FEET = {2: ("left", "right"), 4: ("hind_left", "hind_right", "front_left", "front_right")}


def trace_of(*walks: Walk, contact: NDArray[np.bool_] | None = None) -> Trace:
    """A trace with an episode for each walk; `contact` [T, nfeet] replaces what the feet of all of them do."""
    count, steps, feet = len(walks), max(walk.steps for walk in walks), len(walks[0].lags)
    load = np.full((steps, count, feet), np.nan, np.float32)
    foot_pos = np.full((steps, count, feet, 3), np.nan, np.float32)
    torso_pos = np.full((steps, count, 3), np.nan, np.float32)
    yaw, power = (np.full((steps, count), np.nan, np.float32) for _ in range(2))
    for i, walk in enumerate(walks):
        n, times = walk.steps, np.arange(walk.steps) * DT
        stands = walk.contact() if contact is None else contact[:n]
        ahead = np.array([np.cos(walk.bearing), np.sin(walk.bearing)])
        left = np.array([-ahead[1], ahead[0]])
        planted = stands[1:] & stands[:-1]
        moved = np.where(planted, walk.slip, 3.0 * walk.speed)[:, :, None] * ahead * DT
        load[:n, i] = 0.5 * stands
        foot_pos[:n, i, :, :2] = np.concatenate([np.zeros((1, feet, 2)), np.cumsum(moved, axis=0)])
        foot_pos[:n, i, :, 2] = 0.02
        torso_pos[:n, i, :2] = times[:, None] * (walk.speed * ahead + walk.aside * left)
        torso_pos[:n, i, 2] = HIP_HEIGHT
        yaw[:n, i] = np.angle(np.exp(1j * (walk.yaw + walk.turn * times)))
        power[:n, i] = walk.power
    return Trace(
        dt=DT,
        speed_unit=SPEED_UNIT,
        hip_height=HIP_HEIGHT,
        weight=WEIGHT,
        foot_names=FEET[feet],
        foot_mirror=np.array([1, 0, 3, 2][:feet]),
        length=np.array([walk.steps for walk in walks]),
        foot_load=load,
        foot_pos=foot_pos,
        torso_pos=torso_pos,
        yaw=yaw,
        power=power,
        direction=np.array([[np.cos(walk.bearing), np.sin(walk.bearing)] for walk in walks], np.float32),
    )
