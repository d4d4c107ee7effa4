"""Draws single frames of an animal: what it should reach, the arrow of a push and the caption."""

from __future__ import annotations

import importlib
import math
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.rendering.camera import BOX_SIGNS, CameraPath, Lens
from mesozoic.rendering.canvas import Canvas
from mesozoic.rendering.recording import Target
from mesozoic.species import Species

RED = (0.9, 0.05, 0.05)
ARROW_REACH = 5.0
"""Length of the arrow in hip heights for a push of one speed unit, sqrt(g*h)."""
ARROW_WIDTH = 0.05
ARROW_GAP = 0.1
"""Thickness of the arrow, and its height above the back, in hip heights."""
TRUNK_REACH = 0.5
"""Parts of the torso up to so many hip heights before or behind its middle are its back; beyond are neck and tail."""
ARROW_FADE = 0.3
"""Seconds for which the arrow fades after the push."""
OPEN, STRUCK, BARK, SHADE = (0.95, 0.08, 0.10), (0.10, 0.75, 0.15), (0.33, 0.20, 0.10), (0.12, 0.09, 0.07)
"""Colours of the target before and after the hit, of the trunk that carries food, and of the post of prey."""
TARGET_OPACITY = 0.35
TARGET_CORE = 0.06
TARGET_TRUNK, TARGET_POST = 0.05, 0.012
"""Radii of the solid core of the target and of what it stands on, in hip heights."""
SHADOW_CLIP = 8.0
"""Extents of the model within which shadows are drawn; at its edge the floor is speckled."""
MAX_GEOMS = 2000
WHITE, ALARM, DONE, INK = (255, 255, 255), (255, 60, 50), (90, 235, 90), (30, 25, 20)


class SceneRenderer:
    """An animal's model with an offscreen OpenGL context. Use it in a `with` block, or call `close()`.

    Args:
        width, height: of the frames in pixels.
        fine: draw shadows, reflections and smooth edges; without a GPU that takes about six times as long.

    Raises:
        UserError: no OpenGL works here.
    """

    def __init__(self, species: Species, width: int, height: int, fine: bool = False) -> None:
        from mesozoic.species.simulator import mujoco

        self._mj = mujoco
        self.model = species.load_model()
        self.model.vis.global_.offwidth, self.model.vis.global_.offheight = width, height
        self.model.vis.map.shadowclip = SHADOW_CLIP
        if not fine:
            self.model.vis.quality.shadowsize = self.model.vis.quality.offsamples = 0
        self._species = species
        self._data = mujoco.MjData(self.model)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.elevation = self.model.vis.global_.elevation
        self._view = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), dtype=np.uint8)
        self._corners = _corners(self.model)
        self._arrow_lift = self._back() + ARROW_GAP * species.hip_height
        self._speed_unit = math.sqrt(-self.model.opt.gravity[2] * species.hip_height)
        self._scene = mujoco.MjvScene(self.model, MAX_GEOMS)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = fine
        self._canvas = Canvas(self.model, width, height)

    def frame(
        self,
        qpos: NDArray[np.float32],
        camera: CameraPath,
        t: int,
        push: NDArray[np.float64],
        target: Target | None = None,
    ) -> NDArray[np.uint8]:
        """Draw one moment; from any thread.

        Args:
            qpos: [nq] pose.
            camera: of the recording; t: which pose of it this is.
            push: [4] velocity change in m/s and opacity in [0, 1] of the arrow; no arrow at opacity 0.
            target: what the animal should reach, if anything.

        Returns:
            uint8 [height, width, 3], a new array.
        """
        return self._canvas.run(lambda context: self._draw(context, qpos, camera, t, push, target))

    @property
    def lens(self) -> Lens:
        """How the camera sees."""
        look, view = self.model.vis.global_, self._view
        return Lens(look.azimuth, self._camera.elevation, look.fovy, view.width / view.height)

    def camera_path(self, qpos: NDArray[np.float32], dt: float, target: Target | None = None) -> CameraPath:
        """Where the camera looks from at each pose of a recording [T+1, nq], `dt` seconds apart; see `Lens.follow`."""
        return self.lens.follow(np.stack([self.outline(pose) for pose in qpos]), qpos, dt, target)

    def close(self) -> None:
        """Free the OpenGL context; calling it again does nothing."""
        self._canvas.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draw(
        self,
        context: Any,
        qpos: NDArray[np.float32],
        camera: CameraPath,
        t: int,
        push: NDArray[np.float64],
        target: Target | None,
    ) -> NDArray[np.uint8]:
        """`frame`, in the thread that draws."""
        mj, scene = self._mj, self._scene
        self._data.qpos[:] = qpos
        mj.mj_kinematics(self.model, self._data)
        mj.mj_camlight(self.model, self._data)
        self._camera.lookat[:] = camera.lookat[t]
        self._camera.distance = camera.distance[t]
        self._camera.azimuth = camera.azimuth
        self._data.light_xpos[:, :2] += camera.lookat[t, :2]  # shadows are clean only around the light's place
        mj.mjv_updateScene(
            self.model, self._data, self._option, None, self._camera, mj.mjtCatBit.mjCAT_ALL.value, scene
        )
        if target is not None:
            self._add_target(target)
        if push[3] > 0.0:
            self._add_arrow(np.asarray(qpos[:3], dtype=np.float64), push)
        mj.mjr_render(self._view, scene, context)
        mj.mjr_readPixels(self._pixels, None, self._view, context)
        return self._pixels[::-1].copy()  # OpenGL counts rows from the bottom

    def outline(self, qpos: NDArray[np.float32]) -> NDArray[np.float64]:
        """The corners of the boxes around the animal's geoms in a pose, [p, 3] metres."""
        self._data.qpos[:] = qpos
        self._mj.mj_kinematics(self.model, self._data)
        animal = self.model.geom_bodyid > 0
        turn = self._data.geom_xmat[animal].reshape(-1, 3, 3)
        corners = self._data.geom_xpos[animal, None] + self._corners[animal] @ turn.transpose(0, 2, 1)
        return corners.reshape(-1, 3)

    def _back(self) -> float:
        """How high the animal's back is above the middle of its torso at home, metres."""
        home = self.model.key_qpos[0]
        self._data.qpos[:] = home
        self._mj.mj_kinematics(self.model, self._data)
        ahead = np.abs(self._data.geom_xpos[:, 0] - home[0])
        torso = self.model.body(self._species.torso).id
        trunk = (self.model.geom_bodyid == torso) & (ahead < TRUNK_REACH * self._species.hip_height)
        turn = self._data.geom_xmat[trunk].reshape(-1, 3, 3)
        tops = self._data.geom_xpos[trunk, None] + self._corners[trunk] @ turn.transpose(0, 2, 1)
        return float(tops[..., 2].max() - home[2])

    def _add_target(self, target: Target) -> None:
        """The sphere to reach, what it stands on and its place on the floor."""
        geoms, h = self._mj.mjtGeom, self._species.hip_height
        point = np.asarray(target.point, dtype=np.float64)
        foot = np.array([point[0], point[1], 0.0])
        food = point[2] > h
        colour = STRUCK if target.struck else OPEN
        flat = np.array([target.radius, 0.002 * h, 0.0])
        self._add(geoms.mjGEOM_CYLINDER, (*SHADE, 0.45), size=flat, pos=foot)
        width = (TARGET_TRUNK if food else TARGET_POST) * h
        self._add(geoms.mjGEOM_CAPSULE, (*(BARK if food else SHADE), 1.0), connect=(width, foot, point))
        self._add(geoms.mjGEOM_SPHERE, (*colour, 1.0), size=np.full(3, TARGET_CORE * h), pos=point, emission=0.4)
        self._add(
            geoms.mjGEOM_SPHERE, (*colour, TARGET_OPACITY), size=np.full(3, target.radius), pos=point, emission=0.4
        )

    def _add_arrow(self, torso: NDArray[np.float64], push: NDArray[np.float64]) -> None:
        h = self._species.hip_height
        start = torso + np.array([0.0, 0.0, self._arrow_lift])
        # MuJoCo 3.14 draws an arrow half as long as the connector that it is given.
        end = start + 2.0 * push[:3] * (ARROW_REACH * h / self._speed_unit)
        # It glows, to be as red on the side away from the light.
        self._add(self._mj.mjtGeom.mjGEOM_ARROW, (*RED, push[3]), connect=(ARROW_WIDTH * h, start, end), emission=0.5)

    def _add(
        self,
        kind: Any,
        rgba: tuple[float, ...],
        size: NDArray[np.float64] | None = None,
        pos: NDArray[np.float64] | None = None,
        connect: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None,
        emission: float = 0.0,
    ) -> None:
        """Add a shape to the scene: of `size` at `pos`, or to `connect` (width, start, end)."""
        scene, mj, zero = self._scene, self._mj, np.zeros(3)
        if scene.ngeom >= scene.maxgeom:
            return
        geom = scene.geoms[scene.ngeom]
        colour = np.array(rgba, dtype=np.float32)
        mj.mjv_initGeom(
            geom, kind, zero if size is None else size, zero if pos is None else pos, np.eye(3).ravel(), colour
        )
        if connect is not None:
            mj.mjv_connector(geom, kind, *connect)
        geom.category = mj.mjtCatBit.mjCAT_DECOR
        geom.emission = emission
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
        if (opacity := arrow_opacity(age, dt)) > 0.0:
            arrows[t] = [*velocity, opacity]
    return arrows


def arrow_opacity(age: float, dt: float) -> float:
    """How much of the arrow is seen `age` steps of `dt` seconds after the last step in which its push acts; 0 to 1."""
    # A push of step t acts until pose t + 1, so fading begins after that one.
    return max(0.0, min(1.0, 1.0 - (age - 1.0) * dt / ARROW_FADE))


def caption(frame: NDArray[np.uint8], seconds: float, *lines: tuple[str, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Write the time, and `lines` of text and colour below it, into a copy of a frame [height, width, 3].

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
    for row, (text, colour) in enumerate(((f"{seconds:.2f} s", WHITE), *lines)):
        draw.text((size // 2, size // 2 + row * 3 * size // 2), text, fill=colour, **ink)
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


def _corners(model: Any) -> NDArray[np.float64]:
    """The corners of the box around each geom, in its own frame, [ngeom, 8, 3] metres."""
    return model.geom_aabb[:, None, :3] + BOX_SIGNS * model.geom_aabb[:, None, 3:]
