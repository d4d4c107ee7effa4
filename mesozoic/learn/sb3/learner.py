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
from mesozoic.errors import UserError
from mesozoic.learn import schedules
from mesozoic.learn.episodes import EpisodeTracker
from mesozoic.learn.learner import State
from mesozoic.learn.policy import Policy, check_learner
from mesozoic.learn.sb3.archive import native_archive
from mesozoic.learn.sb3.normalisation import Normalisation
from mesozoic.learn.sb3.torch_state import generator_state, module_state, set_generator_state, set_module_state
from mesozoic.learn.sb3.vec_env import BatchVecEnv
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.task import Transition

SAME_NETWORK = "set net_arch to what the policy was trained with"


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
        self._episodes = EpisodeTracker(env.n)
        self._seen: list[NDArray[np.float32]] = []
        vec_env = BatchVecEnv(env, self._observe)
        self._normalisation = Normalisation(vec_env, standardise, self._gamma())
        self._model = self._make(seed)
        self._model.set_logger(Logger(None, []))
        self._model._last_episode_starts = np.ones(env.n, dtype=bool)
        if warm_start is not None:
            self._warm_start(warm_start)
        self._schedule()

    @property
    def step(self) -> int:
        """Environment steps taken so far, over all worlds."""
        return int(self._model.num_timesteps)

    def learn(self, until_step: int) -> dict[str, float]:
        """Collect and update until `until_step`, in whole rollouts."""
        plan = self._config.curriculum
        while self.step < until_step:
            self._env.ramp = schedules.ramp_share(plan, self.step)
            self._look()
            self._model.learn(self._chunk(), reset_num_timesteps=False, log_interval=None)
            self._normalisation.observations.update(np.concatenate(self._seen))
            self._normalisation.apply()
            self._seen.clear()
            self._after()
            self._schedule()
        logged = {name: float(value) for name, value in self._model.logger.name_to_value.items()}
        self._model.logger.name_to_value.clear()
        metrics = {name: value for name, value in logged.items() if name.startswith("train/")}
        return {**metrics, "train/ramp": self._env.ramp, **self._episodes.pop()}

    def policy(self) -> Policy:
        """The current policy, portable, with SB3's own archive inside and the `VecNormalize` beside it."""
        mean, std = self._normalisation.observations.shift_and_scale()
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
            "episodes": self._episodes.state(),
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
        self._episodes.set_state(state["episodes"])
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
        check_learner(policy, self.name)
        parts = ("count", "mean", "var")
        needed = {f"{kind}/{part}" for kind in ("normaliser", "reward") for part in parts}
        if missing := needed - policy.arrays.keys():
            raise UserError(f"the policy lacks {min(missing)}, so it can act but not be trained on; train a new one")
        self._normalisation.observations.set_state({part: policy.arrays[f"normaliser/{part}"] for part in parts})
        self._normalisation.set_reward_scale({part: policy.arrays[f"reward/{part}"] for part in parts})
        self._normalisation.apply()
        self._load_weights(policy)

    def _set_learning_rate(self, rate: float) -> None:
        self._model.learning_rate = rate
        self._model.lr_schedule = FloatSchedule(ConstantSchedule(rate))
        for optimiser in self._optimisers():
            update_learning_rate(optimiser, rate)

    def _observe(self, transition: Transition) -> None:
        self._episodes.add(transition)
        self._seen.append(transition.observation)


def linear_arrays(name: str, modules: list[torch.nn.Module]) -> dict[str, NDArray[Any]]:
    """Weights of the affine maps among `modules` as `name/0/kernel` [in, out], `name/0/bias` [out], ..."""
    maps = [module for module in modules if isinstance(module, torch.nn.Linear)]
    arrays: dict[str, NDArray[Any]] = {}
    for i, module in enumerate(maps):
        arrays[f"{name}/{i}/kernel"] = module.weight.detach().cpu().numpy().T.copy()
        arrays[f"{name}/{i}/bias"] = module.bias.detach().cpu().numpy().copy()
    return arrays


def load_linear(name: str, modules: list[torch.nn.Module], arrays: dict[str, NDArray[Any]]) -> None:
    """The other way about.

    Raises:
        UserError: a weight is missing or has another shape.
    """
    maps = [module for module in modules if isinstance(module, torch.nn.Linear)]
    for i, module in enumerate(maps):
        load_array(f"{name}/{i}/kernel", module.weight.T, arrays)
        load_array(f"{name}/{i}/bias", module.bias, arrays)
    if f"{name}/{len(maps)}/kernel" in arrays:
        raise UserError(f"the policy has more than {len(maps)} layers in its {name}; {SAME_NETWORK}")


def load_array(name: str, parameter: torch.Tensor, arrays: dict[str, NDArray[Any]]) -> None:
    """Copy an array into a parameter.

    Raises:
        UserError: it is missing or has another shape.
    """
    value = arrays.get(name)
    if value is None or value.shape != tuple(parameter.shape):
        found = "nothing" if value is None else list(value.shape)
        raise UserError(
            f"network parameter {name} should have the shape {list(parameter.shape)}, but there is {found};"
            f" {SAME_NETWORK}"
        )
    with torch.no_grad():
        parameter.copy_(torch.as_tensor(value))
