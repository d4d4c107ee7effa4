"""One animal as a Gymnasium environment, on the same task and engine code as the batched one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from mesozoic.config import as_overrides, parse_overrides
from mesozoic.errors import UserError
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native import NativeEngine
from mesozoic.species import get_species, load_stage
from mesozoic.task import Transition

WIDTH, HEIGHT = 960, 540
CAMERA = "side"


class DinosaurEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One world. Seed s gives the episodes of world 0 of `BatchEnv(..., seed=s)`, in the same order.

    Args:
        species: registry name.
        stage: number of the stage file.
        overrides: as on the command line, for example `"env.push_velocity_max=0.4"`; several in a list or one text.
        render_mode: None or `rgb_array`.

    Raises:
        UserError: no such species or stage, or an override is not valid.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - as in gymnasium.Env

    def __init__(
        self,
        species: str = "velociraptor",
        stage: int = 1,
        overrides: str | Sequence[str] = (),
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode '{render_mode}' is not supported; use 'rgb_array' or None")
        self.render_mode = render_mode
        self.config = load_stage(species, stage, parse_overrides(as_overrides(overrides)))
        self._species = get_species(species)
        self._engine = NativeEngine(self._species, 1, threads=1)
        self._env = BatchEnv(self._engine, self.config.env, seed=0, auto_reset=False)
        self.action_space = Box(-1.0, 1.0, (self._env.action_size,), np.float32)
        self.observation_space = Box(-np.inf, np.inf, (self._env.observation_size,), np.float32)
        self._seeded = False
        self._renderer: mujoco.Renderer | None = None
        self._scene: mujoco.MjData | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin episode 0 of `seed`, or the next episode when no seed is given."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self._env.restart(seed)
            self._seeded = True
        return self._env.reset()[0].copy(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance one control step.

        `info` holds the weighted reward terms as `reward/<term>`, and `reasons`, a list, once the
        episode has ended.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        transition = self._env.step(np.asarray(action, dtype=np.float32)[None])
        observation, reward = transition.observation[0].copy(), float(transition.reward[0])
        return observation, reward, bool(transition.terminated[0]), bool(transition.truncated[0]), _info(transition)

    def render(self) -> NDArray[np.uint8] | None:
        """The animal from its side camera, [540, 960, 3]; None without a render mode.

        Raises:
            UserError: this machine has no way to render off screen.
        """
        if self.render_mode is None:
            return None
        if self._renderer is None or self._scene is None:
            model = self._species.load_model()  # the engine simulates one without what only looks
            self._renderer, self._scene = _open_renderer(model), mujoco.MjData(model)
        self._scene.qpos[:] = self._engine.sensed().qpos[0]
        mujoco.mj_forward(self._renderer.model, self._scene)
        self._renderer.update_scene(self._scene, camera=CAMERA)
        return self._renderer.render()

    def close(self) -> None:
        """Free the renderer; again is harmless."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = self._scene = None


def _info(transition: Transition) -> dict[str, Any]:
    info: dict[str, Any] = {f"reward/{name}": float(value[0]) for name, value in transition.terms.items()}
    if transition.succeeded[0]:
        info["reasons"] = ["succeeded"]
    elif transition.terminated[0]:
        info["reasons"] = [name for name, ended in transition.reasons.items() if ended[0]]
    elif transition.truncated[0]:
        info["reasons"] = ["timeout"]
    return info


def _open_renderer(model: mujoco.MjModel) -> mujoco.Renderer:
    try:
        return mujoco.Renderer(model, HEIGHT, WIDTH)
    except Exception as error:  # each OpenGL binding raises errors of its own
        raise UserError(
            f"cannot render off screen ({type(error).__name__}); before Python starts, set MUJOCO_GL=egl"
            " with a GPU, MUJOCO_GL=osmesa without one"
        ) from error
