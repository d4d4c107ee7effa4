"""Many worlds of one animal as a Gymnasium `VectorEnv`: the batch itself, at its full speed."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mesozoic.config import as_overrides, parse_overrides
from mesozoic.errors import UserError, shown
from mesozoic.gym.infos import final_infos_of, infos_of
from mesozoic.gym.pictures import RENDER_MODES, Pictures
from mesozoic.gym.spaces import checked_actions, spaces_of
from mesozoic.sim.native_env import native_env
from mesozoic.species import get_species, load_stage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Seeds = int | Sequence[int | None] | None
MAX_WORLDS = 65536
MODES = ", ".join(f"'{mode.value}'" for mode in AutoresetMode)


class DinosaurVectorEnv(VectorEnv[Floats, Floats, NDArray[Any]]):
    """`num_envs` worlds; what `gymnasium.make_vec` gives.

    World i of seed s has the episodes of world i of `BatchEnv(..., seed=s)`, in the same order, whatever `num_envs`
    is. It can be copied and pickled at any moment; the copy goes on with the same bits.

    Args:
        species, stage, overrides: as of `DinosaurEnv`.
        render_mode: None or `rgb_array`.
        autoreset_mode: what happens in a world whose episode has ended, a mode or its name.
            `NextStep`, the default as in Gymnasium: its next step ignores the action and begins the next episode,
            with reward 0. `SameStep`: the next episode begins at once; the observation is its first, and the last one
            is in `infos["final_obs"]`, with `infos["final_info"]`; no step is lost. `Disabled`: nothing, until
            `reset(options={"reset_mask": ended})`.

    Raises:
        UserError: no such species or stage, or an argument is not valid.
    """

    def __init__(
        self,
        num_envs: int = 1,
        species: str = "velociraptor",
        stage: int = 1,
        overrides: str | Sequence[str] = (),
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **unknown: Any,
    ) -> None:
        _refuse(unknown)
        self.num_envs = _whole(num_envs, "num_envs", 1, MAX_WORLDS)
        self._mode = _mode(autoreset_mode)
        self.render_mode = render_mode
        self.config = load_stage(species, stage, parse_overrides(as_overrides(overrides)))
        animal = get_species(species)
        at_once = self._mode is AutoresetMode.SAME_STEP
        self._env = native_env(animal, self.config.env, self.num_envs, seed=0, auto_reset=at_once, ahead=True)
        self._pictures = Pictures(
            animal, self._env, render_mode, "wrap it in gymnasium.wrappers.vector.HumanRendering for a window"
        )
        self.metadata = {
            "render_modes": list(RENDER_MODES),
            "render_fps": round(1.0 / self._env.anatomy.dt),
            "autoreset_mode": self._mode,
        }
        self.single_observation_space, self.single_action_space = spaces_of(self._env)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._seeded = np.zeros(self.num_envs, dtype=bool)
        self._ended = np.zeros(self.num_envs, dtype=bool)

    def reset(self, *, seed: Seeds = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Begin episode 0 of `seed` in every world, or the next episode when no seed is given.

        Args:
            seed: of all worlds, or a list with one for each: world i then has the episodes that `gymnasium.make`
                gives with `reset(seed=seed[i])`, and goes on with its next one where that is None.
            options: `reset_mask` [n] bool restricts the reset to some worlds; the observations of the others are
                those of now, and their entries of `seed` do not count.

        Raises:
            UserError: a seed is negative or not an integer, there is not one for each world, or the mask is not one.
            ResetNeeded: a world outside the mask has not begun yet.
        """
        mask = _reset_mask(options, self.num_envs)
        if not (mask | self._seeded).all():
            raise gymnasium.error.ResetNeeded("call reset() without 'reset_mask' once, to begin in every world")
        self._seed(seed, mask)
        self._env.reset(mask)
        self._ended = self._ended & ~mask
        self._pictures.see(mask)
        return self._env.observation.copy(), {}

    def step(
        self, actions: Floats
    ) -> tuple[Floats, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every world by one control step with `actions` [n, nu].

        `infos` holds the weighted reward terms as `reward/<term>` [n] and, in worlds whose episode has ended,
        `reasons`, a list; each has its mask `_<key>` [n].

        Raises:
            UserError: `actions` has another shape.
            ResetNeeded: `reset` was not called, or, where nothing resets by itself, not in a world that has ended.
        """
        actions = checked_actions(actions, (self.num_envs, self._env.action_size))
        if not self._seeded.all():
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        if self._mode is AutoresetMode.NEXT_STEP and self._ended.any():
            return self._step_some(actions, self._ended)
        if self._mode is AutoresetMode.DISABLED and self._ended.any():
            raise gymnasium.error.ResetNeeded(
                f"the episode of world {int(np.argmax(self._ended))} has ended; call"
                " reset(options={'reset_mask': terminated | truncated}) before step()"
            )
        result = self._env.step(actions)
        done = result.terminated | result.truncated
        if self._mode is AutoresetMode.SAME_STEP:
            infos = final_infos_of(result, done) | infos_of(result, ~done)
            self._pictures.see(done)
        else:
            infos = infos_of(result, np.ones_like(done))
            self._ended = done
            self._pictures.see()
        return result.observation.copy(), result.reward, result.terminated, result.truncated, infos

    def render(self, worlds: Sequence[int] | None = None) -> tuple[NDArray[np.uint8], ...] | None:
        """Pictures [540, 960, 3] of all worlds, or of some, each with its prey or food and what pushes the animal.

        Without a render mode it is None.

        Raises:
            UserError: this machine has no way to render off screen, or there is no such world.
            ResetNeeded: `reset` was not called.
        """
        if self.render_mode is None:
            return None
        if not self._seeded.all():
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        every = range(self.num_envs)
        return self._pictures.draw(
            every if worlds is None else [_whole(one, "a world", 0, self.num_envs - 1) for one in worlds]
        )

    def close_extras(self, **_: Any) -> None:
        """Free what draws; again is harmless."""
        self._pictures.close()

    def _step_some(
        self, actions: Floats, again: Mask
    ) -> tuple[Floats, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """A step, except in the worlds of `again` [n], where the next episode begins."""
        result = self._env.step(actions, active=~again)
        self._env.reset(again)
        result = result._replace(
            reward=np.where(again, np.float32(0.0), result.reward),
            terminated=result.terminated & ~again,
            truncated=result.truncated & ~again,
        )
        self._ended = result.terminated | result.truncated
        self._pictures.see(again)
        infos = infos_of(result, ~again)
        return self._env.observation.copy(), result.reward, result.terminated, result.truncated, infos

    def _seed(self, seed: Seeds, mask: Mask) -> None:
        """Give worlds of `mask` [n] their seeds, and those that never had one a random one."""
        if seed is None:
            given = np.zeros_like(mask)
        elif isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str):
            given = mask & np.array([one is not None for one in seed], dtype=bool) if len(seed) == len(mask) else mask
            self._env.restart([0 if one is None else _whole(one, "a seed", 0) for one in seed], given)
        else:
            given = mask
            word = _whole(seed, "seed", 0)
            super().reset(seed=word)
            self._env.restart(word, given)
        alone = mask & ~given & ~self._seeded
        if alone.any():
            self._env.restart(int(self.np_random.integers(2**31)), alone)
        self._seeded = self._seeded | mask


def _refuse(unknown: dict[str, Any]) -> None:
    if not unknown:
        return
    name = shown(min(unknown), 40)
    hint = ""
    if name == "max_episode_steps":
        hint = f"; episodes are as long as the task says: use overrides=['env.max_episode_steps={unknown[name]}']"
    raise UserError(
        f"the batch of worlds takes no '{name}', but stage, overrides, render_mode and autoreset_mode{hint}"
    )


def _mode(value: str | AutoresetMode) -> AutoresetMode:
    try:
        return AutoresetMode(value)
    except ValueError:
        raise UserError(f"autoreset_mode '{shown(str(value), 40)}' is not known; use one of {MODES}") from None


def _whole(value: Any, what: str, low: int, high: int | None = None) -> int:
    try:
        number = index(value)
    except TypeError:
        raise UserError(f"{what} must be an integer, not {shown(repr(value), 40)}") from None
    if number < low or (high is not None and number > high):
        limits = f"{low} or more" if high is None else f"{low} to {high}"
        raise UserError(f"{what} {shown(str(number), 40)} is out of range; give {limits}")
    return number


def _reset_mask(options: dict[str, Any] | None, n: int) -> Mask:
    """The worlds to reset, [n]; `options` stays as it is, as wrappers look at it too."""
    mask = None if options is None else options.get("reset_mask")
    if mask is None:
        return np.ones(n, dtype=bool)
    if not isinstance(mask, np.ndarray) or mask.shape != (n,) or mask.dtype != np.bool_ or not mask.any():
        seen = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise UserError(f"options['reset_mask'] must be a NumPy array ({n},) of bool, at least one True; it is {seen}")
    return mask.copy()
