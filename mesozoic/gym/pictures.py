"""Pictures of the worlds of an environment, for those who ask for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.rendering.live import LiveView
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native import NativeEngine
from mesozoic.species import Species

WIDTH, HEIGHT = 960, 540
RENDER_MODES = ["rgb_array"]


class Pictures:
    """Draws worlds of `env` on demand: where each was last seen in a pose that can be drawn.

    Copies and pickles are made of all but what draws; a copy that is asked for a picture opens its own.

    Raises:
        UserError: `render_mode` is neither None nor one of `RENDER_MODES`.
    """

    def __init__(self, species: Species, env: BatchEnv, render_mode: str | None, instead: str) -> None:
        if render_mode not in (None, *RENDER_MODES):
            raise UserError(f"render_mode '{render_mode}' is not supported; use 'rgb_array' or None, or {instead}")
        self._species, self._env = species, env
        self._wanted = render_mode is not None
        self._pose = np.tile(env.anatomy.home_qpos, (env.n, 1))
        self._view: LiveView | None = None

    def see(self, began: NDArray[np.bool_] | None = None) -> None:
        """A step was taken; in the worlds of `began` [n], an episode began."""
        if not self._wanted:
            return
        engine = self._env.engine
        assert isinstance(engine, NativeEngine)
        pose = engine.pose()
        whole = np.isfinite(pose).all(axis=1, keepdims=True)  # a diverged pose cannot be drawn
        self._pose = np.where(whole, pose, self._pose)
        if self._view is not None and began is not None:
            self._view.begin(np.flatnonzero(began).tolist())

    def draw(self, worlds: Iterable[int]) -> tuple[NDArray[np.uint8], ...] | None:
        """One picture [540, 960, 3] of each of `worlds`; None without a render mode.

        Raises:
            UserError: this machine has no way to render off screen.
        """
        if not self._wanted:
            return None
        if self._view is None:
            self._view = LiveView(self._species, self._env.env, self._env.anatomy, WIDTH, HEIGHT)
        view = self._view
        return tuple(view.draw(world, self._pose[world], self._env.task_state) for world in worlds)

    def close(self) -> None:
        """Free what draws; again is harmless."""
        if self._view is not None:
            self._view.close()
        self._view = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_view": None}
