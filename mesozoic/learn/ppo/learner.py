"""The PPO learner: acts through a collector, updates with one compiled function, whatever the physics runs on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.files import cache_folder
from mesozoic.learn import schedules
from mesozoic.learn.device_memory import check_memory
from mesozoic.learn.host_collector import HostCollector
from mesozoic.learn.learner import Diverged, Metrics, State
from mesozoic.learn.network_presets import hidden_widths
from mesozoic.learn.normaliser import Moments, shift_and_scale
from mesozoic.learn.placement import BY_STEP_AND_WORLD, EVERYWHERE, placement_on
from mesozoic.learn.policy import Policy
from mesozoic.learn.ppo.networks import ACTIVATION, ActorCritic, GaussianActor
from mesozoic.learn.ppo.trees import flatten, unflatten
from mesozoic.learn.ppo.update import (
    Hyperparameters,
    TrainState,
    ValueScale,
    begin_training,
    make_update,
    scheduled_exploration,
    with_params,
)
from mesozoic.learn.rollout import Collector, Rollout, Stats
from mesozoic.learn.tally import episode_metrics
from mesozoic.sim.native_env import training_env
from mesozoic.sim.physics import PHYSICS
from mesozoic.species import Species


def set_up_jax() -> None:
    """Keep compiled programs between runs, see `files.cache_folder`; compute in single precision, whatever
    `JAX_ENABLE_X64` says: what is learned must not depend on it."""
    jax.config.update("jax_enable_x64", False)
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


QUIET_STEPS = 256
"""Control steps, five seconds, after which other worlds are the quiet ones."""


class PPO:
    """PPO in JAX (Flax, Optax).

    Args:
        collector: owns the training environment.
        config: the stage.
        seed: decides initial weights, exploration noise and minibatches.
        warm_start: policy to begin from.
    """

    def __init__(
        self, collector: Collector, config: StageConfig, species: str, seed: int, warm_start: Policy | None = None
    ) -> None:
        set_up_jax()
        jax.config.update("jax_default_matmul_precision", config.jax.matmul_precision)
        self.step = 0
        self.collector, self._config, self._species = collector, config, species
        anatomy = collector.anatomy
        blocks = task.observation_layout(anatomy)
        self._layout = task.layout_of(anatomy)
        self._standardise = np.repeat([block.standardise for block in blocks], [block.size for block in blocks])
        self._net = ActorCritic(hidden_widths(config.ppo.net_arch), task.observation_size(anatomy), anatomy.nu)
        place = collector.placement
        self._key = place.key(seed)
        self._updates = 0
        self._train = begin_training(self._net, config.ppo, jax.random.fold_in(jax.random.key(seed), 2**31))
        if warm_start is not None:
            self._train = self._begin_from(warm_start)
        self._train = place.put(self._train, EVERYWHERE)
        mirrors = None
        if config.jax.mirror:
            mirrors = task.mirror_observation(anatomy), task.mirror_action(anatomy)
        update = make_update(self._net, config.ppo, config.jax, self._standardise, mirrors, place)
        self._update = jax.jit(update, donate_argnums=0, **place.results(EVERYWHERE))
        self._compiled: Any = None
        shape = (config.ppo.n_steps, collector.n, anatomy.nu)
        self._noise = jax.jit(lambda key: jax.random.normal(key, shape), **place.results(BY_STEP_AND_WORLD))
        self._quieten = jax.jit(_quieten, **place.results(BY_STEP_AND_WORLD))

    @classmethod
    def for_stage(
        cls,
        species: Species,
        config: StageConfig,
        seed: int,
        warm_start: Policy | None,
        physics: str,
        gpu_ids: str = "",
    ) -> PPO:
        """A learner with the training environment of a stage, on one of the engines of `mesozoic.learn.kinds`.

        Args:
            gpu_ids: the devices of an engine that runs on some; see `mesozoic.learn.gpu_ids`.
        """
        set_up_jax()
        impl = PHYSICS[physics].impl
        collector: Collector
        if impl:
            from mesozoic.learn.device_collector import ScanCollector  # needs MJX, which not everybody has

            collector = ScanCollector.for_stage(species, config, seed, impl, placement_on(gpu_ids))
        else:
            collector = HostCollector(training_env(species, config, seed))
        return cls(collector, config, species.name, seed, warm_start)

    @property
    def rollout_steps(self) -> int:
        """Environment steps of one rollout over all worlds."""
        return self._config.ppo.n_steps * self.collector.n

    def learn(self) -> Metrics:
        """One rollout and one update on it; see `Learner`."""
        hyper, ramp = self._hyperparameters(), np.float32(schedules.ramp_share(self._config.curriculum, self.step))
        noise_key, batch_key = jax.random.split(jax.random.fold_in(self._key, self._updates))
        rollout, stats = self.collector.collect(self._actor(hyper), self._exploration(noise_key), ramp)
        term_sums, ended = stats.term_sums, stats.ended
        stats = stats._replace(term_sums={}, ended={})  # the update has no use for them
        info = self._run_update(rollout, stats, batch_key, hyper)
        if not info.pop("finite"):
            raise Diverged(self.step, float(hyper.learning_rate), _not_finite(info))
        self._updates += 1
        self.step += self.rollout_steps
        info |= {"learning_rate": hyper.learning_rate, "ent_coef": hyper.ent_coef, "clip_range": hyper.clip_range}
        metrics = {f"train/{name}": float(value) for name, value in info.items()}
        episodes = episode_metrics(float(stats.steps), *jax.device_get((term_sums, ended)))
        return {**metrics, "train/ramp": float(ramp), **episodes}

    def policy(self) -> Policy:
        """The current policy, with the critic for warm starts."""
        train = self.collector.placement.local(self._train)
        mean, std = (np.asarray(part) for part in shift_and_scale(jnp, train.moments, self._standardise))
        arrays: dict[str, NDArray[Any]] = {"norm/mean": mean, "norm/std": std}
        arrays |= flatten({**train.params, "actor": train.ema})
        arrays |= {f"normaliser/{name}": np.asarray(value) for name, value in train.moments._asdict().items()}
        arrays |= {f"value_scale/{name}": np.asarray(value) for name, value in train.scale._asdict().items()}
        stage = self._config.stage.number
        return Policy(self._species, stage, self._layout, ACTIVATION, arrays, {"step": self.step, "learner": "jax-ppo"})

    def state(self) -> State:
        """Parameters, optimiser, statistics, counters, and what the collector holds. The random key needs no
        state: every update derives its own from the seed and the update's number."""
        return {
            "step": self.step,
            "updates": self._updates,
            "train": flatten(self._train),
            "collector": self.collector.state(),
        }

    def set_state(self, state: State) -> None:
        """Continue from what `state()` returned."""
        self.step, self._updates = int(state["step"]), int(state["updates"])
        self._train = self.collector.placement.put(unflatten(state["train"], self._train), EVERYWHERE)
        self.collector.set_state(state["collector"])

    def _exploration(self, key: jax.Array) -> jax.Array:
        """Noise of one rollout [T, n, nu], zero in the worlds that are quiet now.

        A policy that always acts with noise leaves to the noise what it could do itself, such as setting its feet
        right, and falls when it acts without. So it does that now and then, and learns from where that led.
        """
        noise, options = self._noise(key), self._config.jax
        if not options.quiet_share or schedules.progress(self._config.curriculum, self.step) < options.quiet_from:
            return noise
        turn = self._updates * self._config.ppo.n_steps // QUIET_STEPS
        return self._quieten(noise, jax.random.fold_in(self._key, 2**31 + 1 + turn), np.float32(options.quiet_share))

    def _run_update(self, rollout: Rollout, stats: Stats, key: jax.Array, hyper: Hyperparameters) -> dict[str, Any]:
        """Update the state, with a program that is compiled once: other shapes or types afterwards are an error.

        Raises:
            UserError: in the first call: the device has too little memory.
        """
        arguments = (self._train, rollout, stats, key, hyper)
        if self._compiled is None:
            self._compiled = self._update.lower(*arguments).compile()
            what = f"the update on {self.rollout_steps} samples"
            lower = "--n-envs, ppo.n_steps or ppo.batch_size"
            check_memory(self._compiled, self.collector.placement.device, what, lower)
        self._train, info = self._compiled(*arguments)
        return dict(jax.device_get(info))

    def _actor(self, hyper: Hyperparameters) -> GaussianActor:
        params = scheduled_exploration(self._config.ppo, self._train.params, hyper.log_std)
        return GaussianActor(
            params["actor"], params["log_std"], *shift_and_scale(jnp, self._train.moments, self._standardise)
        )

    def _begin_from(self, policy: Policy) -> TrainState:
        params = unflatten(policy.arrays, self._train.params)

        def read(kind: str, name: str) -> jax.Array:
            return jnp.asarray(policy.arrays[f"{kind}/{name}"], dtype=jnp.float32)

        scale = ValueScale(*(read("value_scale", name) for name in ValueScale._fields))
        moments = Moments(*(read("normaliser", name) for name in Moments._fields))
        return with_params(self._config.ppo, params, scale, moments)

    def _hyperparameters(self) -> Hyperparameters:
        """Those at the current step."""
        at = self._config.ppo, self._config.curriculum, self.step
        log_std = schedules.log_std(*at)
        values = (
            schedules.learning_rate(*at),
            schedules.ent_coef(*at),
            schedules.clip_range(*at),
            0.0 if log_std is None else log_std,
            1.0 / min(self._updates + 1, self._config.ppo.average_updates),
        )
        return Hyperparameters(*(np.float32(value) for value in values))


def _quieten(noise: jax.Array, key: jax.Array, share: jax.Array) -> jax.Array:
    """The noise [T, n, nu] without that of about a share of the worlds, which the key decides."""
    return noise * (jax.random.uniform(key, (noise.shape[1], 1)) >= share)


def _not_finite(info: dict[str, Any]) -> str:
    """What went wrong first, in words."""
    for name, words in (("value_loss", "the value loss"), ("policy_loss", "the policy loss")):
        if not np.isfinite(info[name]):
            return words
    return "an observation, a reward or a weight"
