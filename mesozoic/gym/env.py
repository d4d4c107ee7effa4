"""One animal as a Gymnasium environment, on the same task and engine code as the batched one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mesozoic.config import as_overrides, parse_overrides
from mesozoic.gym.infos import info_of
from mesozoic.gym.pictures import RENDER_MODES, Pictures
from mesozoic.gym.spaces import checked_actions, spaces_of
from mesozoic.sim.native_env import native_env
from mesozoic.species import get_species, load_stage


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

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 50}  # noqa: RUF012 - as in gymnasium.Env

    def __init__(
        self,
        species: str = "velociraptor",
        stage: int = 1,
        overrides: str | Sequence[str] = (),
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.config = load_stage(species, stage, parse_overrides(as_overrides(overrides)))
        animal = get_species(species)
        self._env = native_env(animal, self.config.env, 1, seed=0, auto_reset=False, threads=1)
        self._pictures = Pictures(animal, self._env, render_mode, "gymnasium.make, which opens a window for 'human'")
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self._env.anatomy.dt)}
        self.observation_space, self.action_space = spaces_of(self._env)
        self._seeded = False

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
        self._pictures.see(np.ones(1, dtype=bool))
        return observation, {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance one control step.

        `info` holds the weighted reward terms as `reward/<term>`, and `reasons`, a list, once the
        episode has ended.

        Raises:
            UserError: `action` has another shape.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        action = checked_actions(action, (self._env.action_size,))
        result = self._env.step(action[None])
        self._pictures.see()
        observation, reward = result.observation[0].copy(), result.reward.item(0)
        return observation, reward, bool(result.terminated[0]), bool(result.truncated[0]), info_of(result)

    def render(self) -> NDArray[np.uint8] | None:
        """The animal with its prey or food and what pushes it, [540, 960, 3]; None without a render mode.

        Raises:
            UserError: this machine has no way to render off screen.
        """
        if self.render_mode is None:
            return None
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        drawn = self._pictures.draw([0])
        return None if drawn is None else drawn[0]

    def close(self) -> None:
        """Free what draws; again is harmless."""
        self._pictures.close()
