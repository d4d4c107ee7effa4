"""The JAX learner: PPO on the batched environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.learn import schedules
from mesozoic.learn.episodes import EpisodeTracker
from mesozoic.learn.learner import State
from mesozoic.learn.network_presets import hidden_widths
from mesozoic.learn.networks import ACTIVATION, ActorCritic
from mesozoic.learn.normaliser import Normaliser
from mesozoic.learn.policy import Policy
from mesozoic.learn.ppo_update import (
    Hyperparameters,
    Rollout,
    ValueScale,
    initial_value_scale,
    make_optimiser,
    make_update,
    normalise,
)
from mesozoic.sim.batch_env import BatchEnv


def use_compilation_cache() -> None:
    """Keep compiled programs between runs, in `$MESOZOIC_CACHE` or `~/.cache/mesozoic`."""
    folder = Path(os.environ.get("MESOZOIC_CACHE", Path.home() / ".cache" / "mesozoic")) / "jax"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


class JaxPPO:
    """PPO in JAX (Flax, Optax). `learn` collects rollouts of `n_steps` per world and updates on each.

    Args:
        env: the training environment, already reset.
        config: the stage.
        seed: decides initial weights, exploration noise and minibatches.
        warm_start: policy to begin from.
    """

    def __init__(
        self, env: BatchEnv, config: StageConfig, species: str, seed: int, warm_start: Policy | None = None
    ) -> None:
        use_compilation_cache()
        jax.config.update("jax_default_matmul_precision", config.jax.matmul_precision)
        self.step = 0
        self._env, self._config, self._species = env, config, species
        blocks = task.observation_layout(env.anatomy)
        self._layout = task.layout_of(env.anatomy)
        self._net = ActorCritic(hidden_widths(config.ppo.net_arch), env.observation_size, env.action_size)
        self._key = jax.random.key(seed)
        self._updates = 0
        self._params = self._net.init(jax.random.fold_in(self._key, 2**31), config.ppo.log_std_init)
        self._normaliser = Normaliser(
            env.observation_size, np.repeat([block.standardise for block in blocks], [block.size for block in blocks])
        )
        self._scale = initial_value_scale()
        if warm_start is not None:
            self._warm_start(warm_start)
        self._ema = jax.tree.map(jnp.copy, self._params["actor"])  # the update consumes its arguments
        self._opt_state = make_optimiser(config.ppo).init(self._params)
        self._episodes = EpisodeTracker(env.n)
        mirrors = None
        if config.jax.mirror:
            mirrors = task.mirror_observation(env.anatomy), task.mirror_action(env.anatomy)
        self._update = jax.jit(make_update(self._net, config.ppo, config.jax, mirrors), donate_argnums=(0, 1))
        self._noise = jax.jit(lambda key: jax.random.normal(key, (config.ppo.n_steps, env.n, env.action_size)))
        self._act = jax.jit(self._act_function)
        self._value = jax.jit(self._value_function)
        self._blend = jax.jit(lambda old, new, share: jax.tree.map(lambda a, b: a + share * (b - a), old, new))

    @property
    def rollout_steps(self) -> int:
        """Environment steps of one rollout over all worlds."""
        return self._config.ppo.n_steps * self._env.n

    def learn(self, until_step: int) -> dict[str, float]:
        """Collect and update until `until_step`, in whole rollouts."""
        metrics: dict[str, float] = {}
        while self.step < until_step:
            hyper = self._hyperparameters()
            log_std = schedules.log_std(self._config.ppo, self._config.curriculum, self.step)
            if log_std is not None:
                self._params["log_std"] = jnp.full_like(self._params["log_std"], log_std)
            self._env.ramp = schedules.ramp_share(self._config.curriculum, self.step)
            noise_key, batch_key = jax.random.split(jax.random.fold_in(self._key, self._updates))
            norm = self._normaliser.shift_and_scale()
            rollout = self._collect(norm, np.asarray(self._noise(noise_key)))
            self._params, self._opt_state, self._scale, info = self._update(
                self._params, self._opt_state, self._scale, norm, rollout, batch_key, hyper
            )
            self._normaliser.update(rollout.observations.reshape(-1, self._env.observation_size))
            self._updates += 1
            share = 1.0 / min(self._updates, self._config.ppo.average_updates)
            self._ema = self._blend(self._ema, self._params["actor"], share)
            self.step += self.rollout_steps
            metrics = {f"train/{name}": float(value) for name, value in jax.device_get(info).items()}
            metrics |= {"train/learning_rate": float(hyper.learning_rate), "train/ent_coef": float(hyper.ent_coef)}
            metrics |= {"train/clip_range": float(hyper.clip_range), "train/ramp": self._env.ramp}
        return {**metrics, **self._episodes.pop()}

    def policy(self) -> Policy:
        """The current policy, with the critic for warm starts."""
        mean, std = self._normaliser.shift_and_scale()
        arrays: dict[str, NDArray[Any]] = {"norm/mean": mean, "norm/std": std}
        arrays |= _flatten({**self._params, "actor": self._ema})
        arrays |= {f"normaliser/{name}": np.asarray(value) for name, value in self._normaliser.state().items()}
        arrays |= {f"value_scale/{name}": np.asarray(value) for name, value in self._scale._asdict().items()}
        stage = self._config.stage.number
        return Policy(self._species, stage, self._layout, ACTIVATION, arrays, {"step": self.step, "learner": "jax-ppo"})

    def state(self) -> State:
        """Parameters, optimiser, normalisers, counters, running episodes. The random key needs no state:
        every update derives its own from the seed and the update's number."""
        return {
            "step": self.step,
            "updates": self._updates,
            "params": _flatten(self._params),
            "ema": _flatten(self._ema),
            "optimiser": {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(self._opt_state))},
            "normaliser": self._normaliser.state(),
            "value_scale": {name: np.asarray(value) for name, value in self._scale._asdict().items()},
            "episodes": self._episodes.state(),
        }

    def set_state(self, state: State) -> None:
        """Continue from what `state()` returned."""
        self.step, self._updates = int(state["step"]), int(state["updates"])
        self._params = _unflatten(state["params"], self._params)
        self._ema = _unflatten(state["ema"], self._ema)
        leaves, tree = jax.tree.flatten(self._opt_state)
        saved = [jnp.asarray(state["optimiser"][str(i)]) for i in range(len(leaves))]
        self._opt_state = jax.tree.unflatten(tree, saved)
        self._normaliser.set_state(state["normaliser"])
        self._scale = ValueScale(**{name: jnp.asarray(value) for name, value in state["value_scale"].items()})
        self._episodes.set_state(state["episodes"])

    def _warm_start(self, policy: Policy) -> None:
        self._params = _unflatten(policy.arrays, self._params)
        needed = {f"normaliser/{n}" for n in self._normaliser.state()} | {
            f"value_scale/{n}" for n in ValueScale._fields
        }
        if missing := needed - policy.arrays.keys():
            raise UserError(f"the policy lacks {min(missing)}, so it can act but not be trained on; train a new one")
        self._normaliser.set_state({n: policy.arrays[f"normaliser/{n}"] for n in ("count", "mean", "var")})
        self._scale = ValueScale(*(jnp.asarray(policy.arrays[f"value_scale/{n}"]) for n in ValueScale._fields))

    def _hyperparameters(self) -> Hyperparameters:
        """Hyperparameters at the current step."""
        at = self._config.ppo, self._config.curriculum, self.step
        return Hyperparameters(schedules.learning_rate(*at), schedules.ent_coef(*at), schedules.clip_range(*at))

    def _act_function(self, params: Any, norm: Any, observation: jax.Array, noise: jax.Array) -> jax.Array:
        return self._net.mean(params, normalise(observation, *norm)) + jnp.exp(params["log_std"]) * noise

    def _value_function(self, params: Any, scale: ValueScale, norm: Any, observation: jax.Array) -> jax.Array:
        value = self._net.value(params, normalise(observation, *norm))
        return value * (jnp.sqrt(scale.var) + 1e-6) + scale.mean

    def _collect(self, norm: tuple[NDArray, NDArray], noise: NDArray[np.float32]) -> Rollout:
        env, steps = self._env, self._config.ppo.n_steps
        observations = np.empty((steps, env.n, env.observation_size), dtype=np.float32)
        actions = np.empty((steps, env.n, env.action_size), dtype=np.float32)
        rewards = np.empty((steps, env.n), dtype=np.float32)
        done = np.empty((steps, env.n), dtype=bool)
        norm_on_device = jax.device_put(norm)
        for t in range(steps):
            observations[t] = env.observation
            actions[t] = self._act(self._params, norm_on_device, observations[t], noise[t])
            result = env.step(actions[t])
            self._episodes.add(result)
            rewards[t] = result.reward
            done[t] = result.terminated | result.truncated
            if result.truncated.any():
                beyond = self._value(self._params, self._scale, norm_on_device, result.next_observation)
                rewards[t] += self._config.ppo.gamma * np.asarray(beyond) * result.truncated
        return Rollout(observations, env.observation.copy(), actions, noise, rewards, done)


def _path(path: tuple[Any, ...]) -> str:
    return "/".join(str(part.key) for part in path)


def _flatten(params: Any) -> dict[str, NDArray[Any]]:
    """Parameters by path, for example `actor/0/kernel`."""
    return {_path(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]}


def _unflatten(arrays: dict[str, NDArray[Any]], like: Any) -> Any:
    """Parameters of the structure and shapes of `like` from arrays by path.

    Raises:
        UserError: a parameter is missing or has another shape.
    """

    def pick(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        value = arrays.get(_path(path))
        if value is None or value.shape != leaf.shape:
            found = "nothing" if value is None else list(value.shape)
            raise UserError(
                f"network parameter {_path(path)} should have the shape {list(leaf.shape)}, but there is {found};"
                " set ppo.net_arch to what the policy was trained with"
            )
        return jnp.asarray(value)

    return jax.tree_util.tree_map_with_path(pick, like)
