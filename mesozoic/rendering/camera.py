"""The camera that follows a recording: where it looks from at each pose, calmly, with all of the animal in view."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.rendering.recording import Target

CAMERA_FILL = 0.9
"""Share of the frame, across and up, that the animal may fill."""
CAMERA_CALM = 0.3
CAMERA_SLOW = 0.7
"""Seconds over which the camera averages its path and its distance (standard deviation of a Gaussian)."""
CAMERA_FARTHEST = 2.0
"""The camera backs away to at most so many times its first distance."""
BOX_SIGNS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
"""The corners of a box, [8, 3]."""


class CameraPath(NamedTuple):
    """Where the camera looks at each pose of a recording.

    Attributes:
        lookat [T+1, 3]: point in the middle of the frame; distance [T+1] of the camera to it, metres.
        azimuth: viewing direction in degrees; the camera never turns.
    """

    lookat: NDArray[np.float64]
    distance: NDArray[np.float64]
    azimuth: float


class View(NamedTuple):
    """What the first pose of an episode decides for the others.

    Attributes:
        azimuth: viewing direction in degrees.
        height: where the camera looks without a target, metres; it stays there, so that a fall looks like one.
        away: distance of the torso to the target, metres; None if there is none.
    """

    azimuth: float
    height: float
    away: float | None

    def wanted(
        self, points: NDArray[np.float64], qpos: NDArray[np.float32], target: Target | None
    ) -> NDArray[np.float64]:
        """What should be seen at each pose [T+1, nq]: `points` [T+1, p, 3] of the animal, its target, and the place of
        that on the floor. One that is farther away than at the beginning counts at that distance."""
        if target is None or self.away is None:
            return points
        torso, point = qpos[:, :3].astype(np.float64), np.asarray(target.point, dtype=np.float64)
        now = np.linalg.norm(point - torso, axis=1)
        seen = torso + (point - torso) * np.minimum(1.0, self.away / np.maximum(now, 1e-6))[:, None]
        box = seen[:, None] + BOX_SIGNS * target.radius
        return np.concatenate([points, box, box * [1.0, 1.0, 0.0]], axis=1)


class Lens(NamedTuple):
    """How the camera sees.

    Attributes:
        azimuth, elevation: of the view that the model asks for, degrees.
        fovy: angle that the frame spans from bottom to top, degrees; aspect: its width over its height.
    """

    azimuth: float
    elevation: float
    fovy: float
    aspect: float

    def follow(
        self, points: NDArray[np.float64], qpos: NDArray[np.float32], dt: float, target: Target | None = None
    ) -> CameraPath:
        """Follow a recording calmly, with all of the animal and its target in the frame.

        The view is the one that the model asks for as seen by the animal at the beginning. Where there is
        a target it is seen from the line to it instead, on the side to which the animal faces at first. A
        target that is farther away than at the beginning may leave the frame.

        Args:
            points: [T+1, p, 3] what of the animal should be seen in each pose, metres.
            qpos: [T+1, nq] poses, `dt` seconds apart.
        """
        view = self.begin(points[0], qpos[0], target)
        points = view.wanted(points, qpos, target)
        lookat = self.aim(points, view)
        for axis, calm in enumerate((CAMERA_CALM, CAMERA_CALM, CAMERA_SLOW)):
            lookat[:, axis] = _calm(lookat[:, axis], calm / dt)
        need = self.distance(points - lookat[:, None], view.azimuth)
        need = np.minimum(need, CAMERA_FARTHEST * need[0])
        if target is None:
            return CameraPath(lookat, np.full(len(qpos), need.max()), view.azimuth)
        return CameraPath(lookat, _calm(_nearby_max(need, CAMERA_SLOW / dt), CAMERA_SLOW / dt), view.azimuth)

    def begin(self, points: NDArray[np.float64], qpos: NDArray[np.float32], target: Target | None) -> View:
        """The view of an episode, from what of the animal should be seen [p, 3] in its first pose [nq]."""
        direction = yaw = 2.0 * math.atan2(float(qpos[6]), float(qpos[3]))
        side, away = 1.0, None
        if target is not None:
            torso, point = qpos[:3].astype(np.float64), np.asarray(target.point, dtype=np.float64)
            direction, away = math.atan2(point[1] - torso[1], point[0] - torso[0]), float(np.linalg.norm(point - torso))
            side = -1.0 if math.sin(yaw - direction) > 0.0 else 1.0
        return View(side * self.azimuth + math.degrees(direction), points[:, 2].max() / 2.0, away)

    def aim(self, points: NDArray[np.float64], view: View) -> NDArray[np.float64]:
        """The point [T+1, 3] that has `points` [T+1, p, 3] around it in the frame."""
        lookat = (points.min(axis=1) + points.max(axis=1)) / 2.0
        if view.away is None:
            lookat[:, 2] = view.height
        for _ in range(4):
            right, up = self._off_centre(points - lookat[:, None], view.azimuth)
            lookat += right if view.away is None else right + up
        return lookat

    def distance(self, points: NDArray[np.float64], azimuth: float) -> NDArray[np.float64]:
        """How far the camera must be for `points` [T+1, p, 3] about where it looks to be in the frame, [T+1]."""
        right, up, ahead = self._axes(azimuth)
        up_slope = CAMERA_FILL * math.tan(math.radians(self.fovy) / 2.0)
        right_slope = up_slope * self.aspect
        widest = np.maximum(np.abs(points @ right) / right_slope, np.abs(points @ up) / up_slope)
        return (widest - points @ ahead).max(axis=1)

    def _off_centre(
        self, points: NDArray[np.float64], azimuth: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far to the right and up the middle of `points` [T+1, p, 3] is seen of where the camera looks.

        Two arrays [T+1, 3], metres at the distance of where the camera looks.
        """
        right, up, ahead = self._axes(azimuth)
        distance = self.distance(points, azimuth)[:, None]

        def shift(axis: NDArray[np.float64]) -> NDArray[np.float64]:
            seen = points @ axis / (distance + points @ ahead)
            return (seen.min(axis=1) + seen.max(axis=1))[:, None] / 2.0 * distance * axis

        return shift(right), shift(up)

    def _axes(self, azimuth: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The directions right, up and ahead of the camera."""
        turn, tilt = math.radians(azimuth), math.radians(self.elevation)
        ahead = np.array([math.cos(tilt) * math.cos(turn), math.cos(tilt) * math.sin(turn), math.sin(tilt)])
        right = np.array([math.sin(turn), -math.cos(turn), 0.0])
        return right, np.cross(right, ahead), ahead


def _calm(path: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Average [T] with a Gaussian of `sigma` samples; the ends continue as they are."""
    reach = math.ceil(3.0 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(path, reach, mode="edge"), weights / weights.sum(), mode="valid")


def _nearby_max(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """The largest value [T] within the reach of `_calm`, so that calming it nowhere falls below `values`."""
    reach = math.ceil(3.0 * sigma)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1)
    return windows.max(axis=1)
