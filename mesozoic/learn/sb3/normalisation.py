"""Observation and reward normalisation with SB3's `VecNormalize`, on the project's own statistics.

Observations are standardised by the same statistics as in the JAX learner, so that commands pass as
they are and a warm start finds what it expects. Its mean and deviation are put into a plain
`VecNormalize`, which therefore saves, loads and works in anybody's script.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from mesozoic.learn.normaliser import CLIP, Moments, merge_moments, no_moments, shift_and_scale
from mesozoic.learn.sb3.vec_env import BatchVecEnv


class _Given(RunningMeanStd):
    """Statistics that are set and not learned."""

    def update(self, arr: NDArray[Any]) -> None:
        """They come from elsewhere."""


class Normalisation:
    """The `VecNormalize` of a learner.

    Attributes:
        venv: what SB3 trains on.
        moments: statistics of the observations, float64.
    """

    def __init__(self, env: BatchVecEnv, standardise: NDArray[np.bool_], gamma: float) -> None:
        self.venv = VecNormalize(env, clip_obs=CLIP, clip_reward=CLIP, gamma=gamma)
        self.venv.obs_rms = _Given(shape=env.observation_space.shape)
        self.moments = no_moments(np, int(np.prod(env.observation_space.shape or ())))
        self._standardise = standardise
        self.apply()

    def apply(self) -> None:
        """Put the statistics to use; called after each rollout, so that one rollout has one scale."""
        mean, std = self.shift_and_scale()
        given = self.venv.obs_rms
        assert isinstance(given, RunningMeanStd)
        given.mean = mean.astype(np.float64)
        given.var = np.maximum(std.astype(np.float64) ** 2 - self.venv.epsilon, 0.0)
        given.count = max(float(self.moments.count), 1.0)

    def shift_and_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and deviation that observations are standardised with, [nobs]."""
        return shift_and_scale(np, self.moments, self._standardise)

    def update(self, observations: NDArray[np.float32]) -> None:
        """Merge what a rollout saw, [m, nobs], and put it to use."""
        wide = observations.astype(np.float64)
        self.moments = merge_moments(np, self.moments, float(len(wide)), wide.mean(axis=0), wide.var(axis=0))
        self.apply()

    def pickled(self) -> bytes:
        """As `VecNormalize.save` writes it, without anything of this project or of the last rollout in it."""
        plain = VecNormalize(self.venv.venv, clip_obs=CLIP, clip_reward=CLIP, gamma=self.venv.gamma)
        plain.obs_rms, plain.ret_rms = _plain(self.venv.obs_rms), _plain(self.venv.ret_rms)
        return pickle.dumps(plain)

    def state(self) -> dict[str, Any]:
        reward = self.venv.ret_rms
        return {
            "observations": {name: np.array(value) for name, value in self.moments._asdict().items()},
            "reward": {"mean": np.array(reward.mean), "var": np.array(reward.var), "count": float(reward.count)},
            "returns": self.venv.returns.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.set_moments(state["observations"])
        self.set_reward_scale(state["reward"])
        self.venv.returns = np.array(state["returns"])
        self.apply()

    def set_moments(self, state: dict[str, Any]) -> None:
        self.moments = Moments(*(np.array(state[name], dtype=np.float64) for name in Moments._fields))

    def set_reward_scale(self, state: dict[str, Any]) -> None:
        reward = self.venv.ret_rms
        reward.mean, reward.var = np.array(state["mean"]), np.array(state["var"])
        reward.count = float(state["count"])


def _plain(statistics: RunningMeanStd) -> RunningMeanStd:
    plain = RunningMeanStd(shape=np.shape(statistics.mean))
    plain.mean, plain.var = np.array(statistics.mean), np.array(statistics.var)
    plain.count = float(statistics.count)
    return plain
