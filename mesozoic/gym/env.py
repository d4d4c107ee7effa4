"""One animal as a Gymnasium environment, on the same task and engine code as the batched one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from mesozoic.config import as_overrides, parse_overrides
from mesozoic.errors import UserError
from mesozoic.rendering.live import LiveView
from mesozoic.sim.native_env import native_env
from mesozoic.species import get_species, load_stage
from mesozoic.task import Transition

WIDTH, HEIGHT = 960, 540


class DinosaurEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One world. Seed s gives the episodes of world 0 of `BatchEnv(..., seed=s)`, in the same order.

    It can be copied and pickled at any moment; the copy goes on with the same bits.

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
            raise UserError(
                f"render_mode '{render_mode}' is not supported; use 'rgb_array' or None, or gymnasium.make, which opens"
                " a window for 'human'"
            )
        self.render_mode = render_mode
        self.config = load_stage(species, stage, parse_overrides(as_overrides(overrides)))
        self._species = get_species(species)
        self._env = native_env(self._species, self.config.env, 1, seed=0, auto_reset=False, threads=1)
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self._env.anatomy.dt)}
        self.action_space = Box(-1.0, 1.0, (self._env.action_size,), np.float32)
        self.observation_space = Box(-np.inf, np.inf, (self._env.observation_size,), np.float32)
        self._seeded = False
        self._pose: NDArray[np.float32] | None = None
        self._view: LiveView | None = None

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
        observation = self._env.reset()[0].copy()
        self._pose = self._env.engine.sensed().qpos[0].copy()
        if self._view is not None:
            self._view.begin()
        return observation, {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance one control step.

        `info` holds the weighted reward terms as `reward/<term>`, and `reasons`, a list, once the
        episode has ended.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        transition = self._env.step(np.asarray(action, dtype=np.float32)[None])
        pose = self._env.sensed.qpos[0].copy()
        self._pose = pose if np.isfinite(pose).all() else self._pose  # a diverged pose cannot be drawn
        observation, reward = transition.observation[0].copy(), float(transition.reward[0])
        return observation, reward, bool(transition.terminated[0]), bool(transition.truncated[0]), _info(transition)

    def render(self) -> NDArray[np.uint8] | None:
        """The animal with its prey or food and what pushes it, [540, 960, 3]; None without a render mode.

        Raises:
            UserError: this machine has no way to render off screen.
        """
        if self.render_mode is None:
            return None
        if self._pose is None:
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        if self._view is None:
            self._view = LiveView(self._species, self.config.env, self._env.anatomy, WIDTH, HEIGHT)
        return self._view.draw(self._pose, self._env.task_state)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: all but what draws; a copy that is asked for a picture opens its own."""
        return {**self.__dict__, "_view": None}

    def close(self) -> None:
        """Free what draws; again is harmless."""
        if self._view is not None:
            self._view.close()
        self._view = None


def _info(transition: Transition) -> dict[str, Any]:
    info: dict[str, Any] = {f"reward/{name}": float(value[0]) for name, value in transition.terms.items()}
    if transition.succeeded[0]:
        info["reasons"] = ["succeeded"]
    elif transition.terminated[0]:
        info["reasons"] = [name for name, ended in transition.reasons.items() if ended[0]]
    elif transition.truncated[0]:
        info["reasons"] = ["timeout"]
    return info
