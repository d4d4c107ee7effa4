"""What SB3's PPO and SAC have in common as learners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, update_learning_rate

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.learn import schedules
from mesozoic.learn.learner import Diverged, Metrics, State
from mesozoic.learn.policy import Policy
from mesozoic.learn.sb3.archive import native_archive
from mesozoic.learn.sb3.normalisation import Normalisation
from mesozoic.learn.sb3.torch_state import (
    generator_state,
    module_state,
    optimiser_state,
    set_generator_state,
    set_module_state,
    set_optimiser_state,
)
from mesozoic.learn.sb3.vec_env import BatchVecEnv
from mesozoic.learn.tally import Sums, Tally, begin_tally, count, episode_metrics
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native_env import training_env
from mesozoic.species import Species
from mesozoic.task import Transition


class _NotFiniteError(Exception):
    """What it says, of a control step, is not finite."""


class SB3Learner(ABC):
    """A Stable-Baselines3 algorithm behind the `Learner` contract.

    Args:
        env: the training environment, already reset.
        seed: decides everything random.
        warm_start: policy to begin from; one of the same algorithm and backend.
    """

    name: str
    """Of the learner, as policies state it: `sb3-ppo`, `sb3-sac`."""

    def __init__(
        self, env: BatchEnv, config: StageConfig, species: str, seed: int, warm_start: Policy | None = None
    ) -> None:
        torch.set_num_threads(config.sb3.torch_threads)
        self._env, self._config, self._species = env, config, species
        blocks = task.observation_layout(env.anatomy)
        standardise = np.repeat([block.standardise for block in blocks], [block.size for block in blocks])
        self._layout = task.layout_of(env.anatomy)
        self._tally = begin_tally(np, env.n)
        self._terms: Sums = {}
        self._ended: Sums = {}
        self._seen: list[NDArray[np.float32]] = []
        vec_env = BatchVecEnv(env, self._observe)
        self._normalisation = Normalisation(vec_env, standardise, self._gamma())
        self._model = self._make(seed)
        self._model.set_logger(Logger(None, []))
        self._model._last_episode_starts = np.ones(env.n, dtype=bool)
        if warm_start is not None:
            self._warm_start(warm_start)
        self._schedule()

    @classmethod
    def for_stage(
        cls, species: Species, config: StageConfig, seed: int, warm_start: Policy | None, physics: str
    ) -> SB3Learner:
        """A learner with the training environment of a stage, on the native engine."""
        if physics != "native":
            raise ValueError(f"no environment for physics {physics}")
        return cls(training_env(species, config, seed), config, species.name, seed, warm_start)

    @property
    def step(self) -> int:
        """Environment steps taken so far, over all worlds."""
        return int(self._model.num_timesteps)

    def learn(self) -> Metrics:
        """One rollout and the updates on it; see `Learner`."""
        before, ramp = self.step, schedules.ramp_share(self._config.curriculum, self.step)
        self._env.ramp = np.float32(ramp)
        self._look()
        kept = self._weights()
        broken = self._learn_chunk()
        logged = {name: float(value) for name, value in self._model.logger.name_to_value.items()}
        self._model.logger.name_to_value.clear()
        metrics = {name: value for name, value in logged.items() if name.startswith("train/")}
        if what := broken or self._not_finite(metrics):
            self._set_weights(kept)
            self._model.num_timesteps = before
            for one in (self._seen, self._terms, self._ended):
                one.clear()
            raise Diverged(before, float(self._model.learning_rate), what)
        self._normalisation.update(np.concatenate(self._seen))
        self._after()
        self._schedule()
        episodes = episode_metrics(self.step - before, self._terms, self._ended)
        for one in (self._seen, self._terms, self._ended):
            one.clear()
        return {**metrics, "train/ramp": ramp, **episodes}

    def policy(self) -> Policy:
        """The current policy, portable, with SB3's own archive inside and the `VecNormalize` beside it."""
        mean, std = self._normalisation.shift_and_scale()
        arrays: dict[str, NDArray[Any]] = {"norm/mean": mean, "norm/std": std, **self._arrays()}
        state = self._normalisation.state()
        arrays |= {f"normaliser/{name}": np.asarray(value) for name, value in state["observations"].items()}
        arrays |= {f"reward/{name}": np.asarray(value) for name, value in state["reward"].items()}
        return Policy(
            self._species,
            self._config.stage.number,
            self._layout,
            self._activation(),
            arrays,
            {"step": self.step, "learner": self.name},
            self._output(),
            members=self._archive(),
            sidecars={"vecnormalize.pkl": self._normalisation.pickled()},
        )

    def state(self) -> State:
        """Networks, optimisers, normalisers, buffers, counters and random generators."""
        model = self._model
        return {
            "step": self.step,
            "n_updates": int(model._n_updates),
            "env": self._env.state(),
            "tally": {name: value.copy() for name, value in self._tally._asdict().items()},
            "policy": module_state(model.policy),
            "normalisation": self._normalisation.state(),
            "last_episode_starts": np.array(model._last_episode_starts),
            "generators": generator_state(model.action_space),
            **self._own_state(),
        }

    def set_state(self, state: State) -> None:
        """Continue from what `state()` returned."""
        model = self._model
        model.num_timesteps, model._n_updates = int(state["step"]), int(state["n_updates"])
        self._env.set_state(state["env"])
        self._tally = Tally(**{name: np.array(value) for name, value in state["tally"].items()})
        set_module_state(model.policy, state["policy"])
        self._normalisation.set_state(state["normalisation"])
        model._last_episode_starts = np.array(state["last_episode_starts"])
        self._set_own_state(state)
        self._schedule()
        set_generator_state(model.action_space, state["generators"])

    @abstractmethod
    def _gamma(self) -> float: ...

    @abstractmethod
    def _make(self, seed: int) -> BaseAlgorithm:
        """Build the algorithm on `self._normalisation.venv`."""

    @abstractmethod
    def _chunk(self) -> int:
        """Environment steps of one collection and update."""

    @abstractmethod
    def _schedule(self) -> None:
        """Set what depends on the step, for the rollout that begins with it."""

    @abstractmethod
    def _optimisers(self) -> list[torch.optim.Optimizer]: ...

    @abstractmethod
    def _after(self) -> None:
        """Called after each update."""

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Weights of the portable policy: the actor, and what a warm start needs."""

    @abstractmethod
    def _activation(self) -> str: ...

    @abstractmethod
    def _output(self) -> str: ...

    @abstractmethod
    def _own_state(self) -> State: ...

    @abstractmethod
    def _set_own_state(self, state: State) -> None: ...

    @abstractmethod
    def _load_weights(self, policy: Policy) -> None: ...

    def _archive(self) -> dict[str, bytes]:
        """The members of SB3's own archive, which `load` of the algorithm reads."""
        return native_archive(self._model)

    def _look(self) -> None:
        """Show SB3 where the worlds stand, in the scale of the rollout that begins."""
        here, venv = self._env.observation.copy(), self._normalisation.venv
        venv.old_obs = self._model._last_original_obs = here
        self._model._last_obs = venv.normalize_obs(here)

    def _warm_start(self, policy: Policy) -> None:
        parts = ("count", "mean", "var")
        self._normalisation.set_moments({part: policy.arrays[f"normaliser/{part}"] for part in parts})
        self._normalisation.set_reward_scale({part: policy.arrays[f"reward/{part}"] for part in parts})
        self._normalisation.apply()
        self._load_weights(policy)

    def _set_learning_rate(self, rate: float) -> None:
        self._model.learning_rate = rate
        self._model.lr_schedule = FloatSchedule(ConstantSchedule(rate))
        for optimiser in self._optimisers():
            update_learning_rate(optimiser, rate)

    def _observe(self, transition: Transition) -> None:
        """Count a step; one that is not finite gets into no buffer and no statistics."""
        if not np.isfinite(transition.reward).all():
            raise _NotFiniteError("a reward")
        if not (np.isfinite(transition.observation).all() and np.isfinite(transition.next_observation).all()):
            raise _NotFiniteError("an observation")
        self._tally, terms, ended = count(np, self._tally, transition)
        for total, more in ((self._terms, terms), (self._ended, ended)):
            for name, value in more.items():
                total[name] = total.get(name, 0.0) + float(value)
        self._seen.append(transition.observation)

    def _learn_chunk(self) -> str | None:
        """Collect and update; what PyTorch refused because it is not finite, in words."""
        try:
            self._model.learn(self._chunk(), reset_num_timesteps=False, log_interval=None)
        except _NotFiniteError as error:
            return str(error)
        except ValueError:  # of a distribution whose parameters are not numbers
            if (what := self._not_finite({})) is None:
                raise
            return what
        return None

    def _weights(self) -> State:
        """What an update changes of networks and optimisers."""
        return {
            "policy": module_state(self._model.policy),
            "optimisers": [optimiser_state(o) for o in self._optimisers()],
        }

    def _set_weights(self, kept: State) -> None:
        set_module_state(self._model.policy, kept["policy"])
        for optimiser, state in zip(self._optimisers(), kept["optimisers"], strict=True):
            set_optimiser_state(optimiser, state)

    def _not_finite(self, metrics: Metrics) -> str | None:
        """What the last update left that is not finite, in words."""
        for name, value in metrics.items():
            if not np.isfinite(value):
                return name.removeprefix("train/").replace("_", " ")
        weights = module_state(self._model.policy).values()
        return None if all(np.isfinite(value).all() for value in weights) else "a weight"
