"""The batched environment as a Stable-Baselines3 `VecEnv`: one array in, one array out, no subprocesses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from mesozoic.sim.batch_env import BatchEnv
from mesozoic.task import Transition


class BatchVecEnv(VecEnv):
    """`n` worlds of a `BatchEnv`. Worlds reset themselves; `infos` carry what SB3 needs of the last step.

    Args:
        env: already reset; the first `reset()` returns where it stands, later ones begin new episodes.
        listener: called with every transition.
    """

    def __init__(self, env: BatchEnv, listener: Callable[[Transition], None] | None = None) -> None:
        observations = gymnasium.spaces.Box(-np.inf, np.inf, (env.observation_size,), np.float32)
        actions = gymnasium.spaces.Box(-1.0, 1.0, (env.action_size,), np.float32)
        self.render_mode = None
        super().__init__(env.n, observations, actions)
        self.env = env
        self._listener = listener
        self._fresh = True
        self._actions = np.zeros((env.n, env.action_size), dtype=np.float32)

    def reset(self) -> NDArray[np.float32]:
        """Observations [n, nobs]."""
        if not self._fresh:
            self.env.reset()
        self._fresh = False
        return self.env.observation.copy()

    def step_async(self, actions: NDArray[np.float32]) -> None:
        self._actions = np.asarray(actions, dtype=np.float32)

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Observations, rewards, dones and infos; those of ended worlds have `terminal_observation` and
        `TimeLimit.truncated`, from which SB3 bootstraps truncated episodes."""
        result = self.env.step(self._actions)
        if self._listener is not None:
            self._listener(result)
        done = result.terminated | result.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(done):
            infos[world] = {
                "terminal_observation": result.next_observation[world],
                "TimeLimit.truncated": bool(result.truncated[world]),
            }
        return result.observation.copy(), result.reward.copy(), done, infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * len(self._worlds(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **keywords: Any) -> list[Any]:
        return [getattr(self, method_name)(*arguments, **keywords)] * len(self._worlds(indices))

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: Any = None) -> list[bool]:
        return [False] * len(self._worlds(indices))

    def _worlds(self, indices: int | Sequence[int] | None) -> Sequence[int]:
        return list(self._get_indices(indices))
