"""Collects rollouts from a batched environment on the host."""

from __future__ import annotations

import jax
import numpy as np

from mesozoic.learn.learner import State
from mesozoic.learn.placement import ONE_DEVICE, Placement
from mesozoic.learn.ppo.networks import GaussianActor, act
from mesozoic.learn.rollout import Array, Rollout, Stats
from mesozoic.learn.tally import Sums, Tally, begin_tally, count
from mesozoic.sim.batch_env import BatchEnv


class HostCollector:
    """The worlds of `env`, which was reset before."""

    placement: Placement = ONE_DEVICE

    def __init__(self, env: BatchEnv) -> None:
        self.env = env
        self.anatomy, self.n = env.anatomy, env.n
        self._tally = begin_tally(np, env.n)
        self._act = jax.jit(act)

    def collect(self, actor: GaussianActor, noise: Array, ramp: Array) -> tuple[Rollout, Stats]:
        """One rollout with `noise` [T, n, nu]; see `Collector`."""
        env, noise = self.env, np.asarray(noise)
        steps, n = noise.shape[:2]
        env.ramp = ramp
        actor = jax.device_put(actor)
        seen, beyond = (np.empty((steps, n, env.observation_size), dtype=np.float32) for _ in range(2))
        action = np.empty((steps, n, env.action_size), dtype=np.float32)
        reward = np.empty((steps, n), dtype=np.float32)
        terminated, truncated = (np.empty((steps, n), dtype=bool) for _ in range(2))
        terms: Sums = {}
        ended: Sums = {}
        for t in range(steps):
            seen[t] = env.observation
            action[t] = self._act(actor, seen[t], noise[t])
            result = env.step(action[t])
            self._tally, step_terms, step_ended = count(np, self._tally, result)
            for total, more in ((terms, step_terms), (ended, step_ended)):
                for name, value in more.items():
                    total[name] = total.get(name, 0.0) + float(value)
            beyond[t], reward[t] = result.next_observation, result.reward
            terminated[t], truncated[t] = result.terminated, result.truncated
        wide = seen.reshape(steps * n, -1).astype(np.float64)
        mean, var = wide.mean(axis=0).astype(np.float32), wide.var(axis=0).astype(np.float32)
        rollout = Rollout(seen, beyond, action, noise, reward, terminated, truncated)
        return rollout, Stats(np.float32(steps * n), mean, var, terms, ended)

    def state(self) -> State:
        """The environment and the running episodes."""
        return {"env": self.env.state(), "tally": {k: v.copy() for k, v in self._tally._asdict().items()}}

    def set_state(self, state: State) -> None:
        self.env.set_state(state["env"])
        self._tally = Tally(**{name: np.array(value) for name, value in state["tally"].items()})
