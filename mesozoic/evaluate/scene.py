"""Draws single frames of an animal: its camera, the arrow of a push and the caption."""

from __future__ import annotations

import importlib
import math
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.evaluate.gl import choose_gl, open_context
from mesozoic.species import Species

RED = (0.9, 0.05, 0.05)
ARROW_REACH = 5.0
"""Length of the arrow in hip heights for a push of one speed unit, sqrt(g*h)."""
ARROW_WIDTH = 0.05
ARROW_LIFT = 0.35
"""Thickness of the arrow, and its height above the middle of the torso, in hip heights."""
ARROW_FADE = 0.3
"""Seconds for which the arrow fades after the push."""
CAMERA_DISTANCE = 1.35
"""Distance of the camera in extents of the model."""
CAMERA_CALM = 0.3
"""Seconds over which the camera averages the path of the torso (standard deviation of a Gaussian)."""
MAX_GEOMS = 2000
WHITE, ALARM, INK = (255, 255, 255), (255, 60, 50), (30, 25, 20)


class SceneRenderer:
    """An animal's model with an offscreen OpenGL context. Use it in a `with` block, or call `close()`.

    Args:
        width, height: of the frames in pixels.
        fine: draw shadows, reflections and smooth edges; without a GPU that takes about six times as long.

    Raises:
        UserError: no OpenGL works here.
    """

    def __init__(self, species: Species, width: int, height: int, fine: bool = False) -> None:
        choose_gl()  # before the import, which fails outright if MUJOCO_GL is nonsense
        import mujoco

        self._mj = mujoco
        self.model = species.load_model()
        self.model.vis.global_.offwidth, self.model.vis.global_.offheight = width, height
        if not fine:
            self.model.vis.quality.shadowsize = self.model.vis.quality.offsamples = 0
        self._species = species
        self._data = mujoco.MjData(self.model)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.distance = CAMERA_DISTANCE * self.model.stat.extent
        self._camera.elevation = self.model.vis.global_.elevation
        self._view = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), dtype=np.uint8)
        self._speed_unit = math.sqrt(-self.model.opt.gravity[2] * species.hip_height)
        self._scene = mujoco.MjvScene(self.model, MAX_GEOMS)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = fine
        self._gl = open_context(width, height)
        try:
            self._context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        except BaseException:
            self._gl.free()
            raise

    def frame(
        self, qpos: NDArray[np.float32], lookat: NDArray[np.float64], azimuth: float, push: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Draw one moment.

        Args:
            qpos: [nq] pose.
            lookat: [3] point in the middle of the frame, metres; azimuth: viewing direction in degrees.
            push: [4] velocity change in m/s and opacity in [0, 1] of the arrow; no arrow at opacity 0.

        Returns:
            uint8 [height, width, 3], a new array.
        """
        mj, scene = self._mj, self._scene
        self._data.qpos[:] = qpos
        mj.mj_kinematics(self.model, self._data)
        mj.mj_camlight(self.model, self._data)
        self._camera.lookat[:] = lookat
        self._camera.azimuth = azimuth
        mj.mjv_updateScene(
            self.model, self._data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL.value, scene
        )
        if push[3] > 0.0:
            self._add_arrow(np.asarray(qpos[:3], dtype=np.float64), push)
        mj.mjr_render(self._view, scene, self._context)
        mj.mjr_readPixels(self._pixels, None, self._view, self._context)
        return self._pixels[::-1].copy()  # OpenGL counts rows from the bottom

    def camera_path(self, qpos: NDArray[np.float32], dt: float) -> tuple[NDArray[np.float64], float]:
        """Where the camera looks during a recording: calmly after the torso, never turning.

        Args:
            qpos: [T+1, nq] poses, `dt` seconds apart.

        Returns:
            lookat [T+1, 3] in metres and the azimuth in degrees, the one that the model asks for as
            seen by the animal at the beginning.
        """
        w, z = float(qpos[0, 3]), float(qpos[0, 6])
        yaw = 2.0 * math.atan2(z, w)
        cx, cy, cz = self.model.stat.center
        middle = (cx * math.cos(yaw) - cy * math.sin(yaw), cx * math.sin(yaw) + cy * math.cos(yaw))
        lookat = np.empty((len(qpos), 3))
        for axis in (0, 1):
            lookat[:, axis] = _calm(qpos[:, axis].astype(np.float64), CAMERA_CALM / dt) + middle[axis]
        lookat[:, 2] = cz  # the floor stays where it is, so that a fall looks like one
        return lookat, self.model.vis.global_.azimuth + math.degrees(yaw)

    def close(self) -> None:
        """Free the OpenGL context; calling it again does nothing."""
        if self._gl is None:
            return
        # The drawing context deletes its OpenGL objects, for which the OpenGL context must still exist.
        self._gl.make_current()
        self._context.free()
        self._gl.free()
        self._gl = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add_arrow(self, torso: NDArray[np.float64], push: NDArray[np.float64]) -> None:
        scene, mj = self._scene, self._mj
        if scene.ngeom >= scene.maxgeom:
            return
        h = self._species.hip_height
        start = torso + np.array([0.0, 0.0, ARROW_LIFT * h])
        # MuJoCo 3.14 draws an arrow half as long as the connector that it is given.
        end = start + 2.0 * push[:3] * (ARROW_REACH * h / self._speed_unit)
        geom = scene.geoms[scene.ngeom]
        rgba = np.array([*RED, push[3]], dtype=np.float32)
        arrow = mj.mjtGeom.mjGEOM_ARROW
        mj.mjv_initGeom(geom, arrow, np.zeros(3), np.zeros(3), np.eye(3).ravel(), rgba)
        mj.mjv_connector(geom, arrow, ARROW_WIDTH * h, start, end)
        geom.category = mj.mjtCatBit.mjCAT_DECOR
        geom.emission = 0.5  # as red on the side away from the light
        scene.ngeom += 1


def push_arrows(push_velocity: NDArray[np.float32], dt: float) -> NDArray[np.float64]:
    """The arrow at each pose of a recording.

    Args:
        push_velocity: [T, 3] velocity change in m/s of the push that acts in each step of `dt` seconds.

    Returns:
        [T+1, 4]: velocity change and opacity, what `SceneRenderer.frame` takes.
    """
    steps = len(push_velocity)
    arrows = np.zeros((steps + 1, 4))
    velocity, age = np.zeros(3), math.inf
    for t in range(steps + 1):
        age += 1.0
        if t < steps and push_velocity[t].any():
            velocity, age = push_velocity[t], 0.0
        # A push of step t acts until pose t + 1, so fading begins after that one.
        opacity = min(1.0, 1.0 - (age - 1.0) * dt / ARROW_FADE)
        if opacity > 0.0:
            arrows[t] = [*velocity, opacity]
    return arrows


def caption(frame: NDArray[np.uint8], seconds: float, push: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Write the time, and the push if its arrow [4] shows, into a copy of a frame [height, width, 3].

    Raises:
        UserError: Pillow is missing.
    """
    image = viz_module("PIL.Image").fromarray(frame)
    draw = viz_module("PIL.ImageDraw").Draw(image)
    size = max(10, image.height // 20)
    ink = {
        "stroke_width": max(1, size // 12),
        "stroke_fill": INK,
        "font": viz_module("PIL.ImageFont").load_default(size),
    }
    draw.text((size // 2, size // 2), f"{seconds:.2f} s", fill=WHITE, **ink)
    if push[3] > 0.0:
        draw.text((size // 2, 2 * size), f"push {np.linalg.norm(push[:3]):.2f} m/s", fill=ALARM, **ink)
    return np.array(image)


def viz_module(name: str) -> Any:
    """Import a module of the `[viz]` extra.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError("rendering videos needs the [viz] extra; run pip install 'mesozoic[viz]'") from None


def _calm(path: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Average [T] with a Gaussian of `sigma` samples; the ends continue as they are."""
    reach = math.ceil(3.0 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(path, reach, mode="edge"), weights / weights.sum(), mode="valid")
