"""Pictures of an episode while it happens: what a video of it shows, drawn without knowing what comes."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import EnvSection
from mesozoic.rendering.camera import CAMERA_CALM, CAMERA_FARTHEST, CAMERA_SLOW, CameraPath, Lens, View
from mesozoic.rendering.recording import Target
from mesozoic.rendering.scene import SceneRenderer, arrow_opacity
from mesozoic.species import Species
from mesozoic.species.anatomy import Anatomy
from mesozoic.task import TaskState
from mesozoic.task.pushes import push_steps


class LiveView:
    """Draws the worlds of an environment, each with its prey or food and its pushes. Close it when done.

    Args:
        env: the stage's task; anatomy: of the animal; width, height: pixels.

    Raises:
        UserError: no OpenGL works here.
    """

    def __init__(self, species: Species, env: EnvSection, anatomy: Anatomy, width: int, height: int) -> None:
        self._env, self._anatomy = env, anatomy
        self._radius = env.reach_radius * species.hip_height
        self._scene = SceneRenderer(species, width, height)
        self._cameras: dict[int, _LiveCamera] = {}

    def begin(self, worlds: Iterable[int]) -> None:
        """Another episode begins in some worlds: their cameras forget the one before."""
        for world in worlds:
            self._cameras.pop(world, None)

    def draw(self, world: int, qpos: NDArray[np.float32], state: TaskState) -> NDArray[np.uint8]:
        """The pose [nq] of a world as the task's state has it, uint8 [height, width, 3]."""
        target = None
        if self._env.has_target:
            target = Target(state.target[world], self._radius, struck=bool(state.struck[world] >= 0))
        seconds = float(state.step[world]) * self._anatomy.dt
        camera = self._cameras.setdefault(world, _LiveCamera(self._scene.lens))
        path = camera.look(self._scene.outline(qpos), qpos, seconds, target)
        return self._scene.frame(qpos, path, 0, self._arrow(world, state), target)

    def close(self) -> None:
        """Free the OpenGL context; again is harmless."""
        self._scene.close()

    def _arrow(self, world: int, state: TaskState) -> NDArray[np.float64]:
        """Velocity change and opacity [4] of the push that acts, or acted last."""
        arrow = np.zeros(4)
        since = state.step[world] - state.push_start[world]
        if (since >= 0).any():
            last = int(np.argmin(np.where(since >= 0, since, np.iinfo(np.int32).max)))
            arrow[:2] = state.push_velocity[world, last]
            age = int(since[last]) - push_steps(self._anatomy, self._env) + 1
            arrow[3] = arrow_opacity(age, self._anatomy.dt)
        return arrow


class _LiveCamera:
    """Follows calmly what it is shown, pose by pose, and keeps all of it in the frame."""

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        self._view: View | None = None
        self._seconds = 0.0
        self._lookat, self._speed = np.zeros(3), np.zeros(3)
        self._first = self._distance = 0.0

    def look(
        self, points: NDArray[np.float64], qpos: NDArray[np.float32], seconds: float, target: Target | None
    ) -> CameraPath:
        """Where to look from at `points` [p, 3] of the animal in a pose [nq], `seconds` into the episode."""
        begins = self._view is None or seconds < self._seconds
        if begins:
            self._view = self._lens.begin(points, qpos, target)
        assert self._view is not None
        wanted = self._view.wanted(points[None], qpos[None], target)
        lookat = self._lens.aim(wanted, self._view)[0]
        passed, self._seconds = seconds - self._seconds, seconds
        if begins:
            self._lookat, self._speed = lookat, np.zeros(3)
        elif passed > 0.0:
            self._approach(lookat, passed)
        need = float(self._lens.distance(wanted - self._lookat, self._view.azimuth)[0])
        if begins:
            self._first = self._distance = need
        need = min(need, CAMERA_FARTHEST * self._first)
        nearer = need + (self._distance - need) * math.exp(-max(passed, 0.0) / CAMERA_SLOW)
        self._distance = max(need, nearer)
        return CameraPath(self._lookat[None], np.array([self._distance]), self._view.azimuth)

    def _approach(self, lookat: NDArray[np.float64], passed: float) -> None:
        """A filter that forgets within seconds and does not lag behind what moves steadily."""
        keep = np.exp(-passed / np.array([CAMERA_CALM, CAMERA_CALM, CAMERA_SLOW]))
        ahead = self._lookat + self._speed * passed
        off = lookat - ahead
        self._lookat = ahead + (1.0 - keep**2) * off
        self._speed = self._speed + (1.0 - keep) ** 2 * off / passed
