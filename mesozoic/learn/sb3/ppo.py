"""SB3's PPO behind the `Learner` contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule

from mesozoic.learn import schedules
from mesozoic.learn.learner import State
from mesozoic.learn.network_presets import hidden_widths
from mesozoic.learn.policy import Policy
from mesozoic.learn.sb3.learner import SB3Learner
from mesozoic.learn.sb3.torch_state import optimiser_state, set_optimiser_state
from mesozoic.learn.sb3.weights import linear_arrays, load_array, load_linear


class SB3PPO(SB3Learner):
    """PPO with the keys of `[ppo]`; the policy evaluated and saved has the mean weights of the last updates."""

    name = "sb3-ppo"
    _model: PPO

    def _gamma(self) -> float:
        return self._config.ppo.gamma

    def _make(self, seed: int) -> PPO:
        ppo, widths = self._config.ppo, list(hidden_widths(self._config.ppo.net_arch))
        model = PPO(
            "MlpPolicy",
            self._normalisation.venv,
            learning_rate=ppo.learning_rate,
            n_steps=ppo.n_steps,
            batch_size=ppo.batch_size,
            n_epochs=ppo.n_epochs,
            gamma=ppo.gamma,
            gae_lambda=ppo.gae_lambda,
            clip_range=ppo.clip_range,
            ent_coef=ppo.ent_coef,
            vf_coef=ppo.vf_coef,
            max_grad_norm=ppo.max_grad_norm,
            target_kl=ppo.target_kl,
            policy_kwargs={
                "net_arch": {"pi": widths, "vf": widths},
                "activation_fn": torch.nn.ELU,
                "log_std_init": ppo.log_std_init,
            },
            seed=seed,
            device="cpu",
        )
        self._ema = [parameter.detach().clone() for parameter in self._actor(model)]
        self._updates = 0
        return model

    def _chunk(self) -> int:
        return self._config.ppo.n_steps * self._env.n

    def _schedule(self) -> None:
        at = self._config.ppo, self._config.curriculum, self.step
        self._set_learning_rate(schedules.learning_rate(*at))
        self._model.clip_range = FloatSchedule(ConstantSchedule(schedules.clip_range(*at)))
        self._model.ent_coef = schedules.ent_coef(*at)
        log_std = schedules.log_std(*at)
        if log_std is not None:
            parameter = self._policy.log_std
            parameter.requires_grad_(False)
            parameter.data.fill_(log_std)

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        return [self._policy.optimizer]

    def _after(self) -> None:
        self._updates += 1
        share = 1.0 / min(self._updates, self._config.ppo.average_updates)
        for mean, parameter in zip(self._ema, self._actor(self._model), strict=True):
            mean.lerp_(parameter.detach(), share)

    @property
    def _policy(self) -> ActorCriticPolicy:
        return self._model.policy

    def _actor(self, model: PPO) -> list[torch.nn.Parameter]:
        policy = model.policy
        return [*policy.mlp_extractor.policy_net.parameters(), *policy.action_net.parameters()]

    def _actor_modules(self) -> list[torch.nn.Module]:
        return [*self._policy.mlp_extractor.policy_net, self._policy.action_net]

    def _critic_modules(self) -> list[torch.nn.Module]:
        return [*self._policy.mlp_extractor.value_net, self._policy.value_net]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        with _Averaged(self):
            actor = linear_arrays("actor", self._actor_modules())
        log_std = self._policy.log_std.detach().numpy().copy()
        return {**actor, **linear_arrays("critic", self._critic_modules()), "log_std": log_std}

    def _archive(self) -> dict[str, bytes]:
        with _Averaged(self):
            return super()._archive()

    def _activation(self) -> str:
        return "elu"

    def _output(self) -> str:
        return "clip"

    def _load_weights(self, policy: Policy) -> None:
        load_linear("actor", self._actor_modules(), policy.arrays)
        load_linear("critic", self._critic_modules(), policy.arrays)
        load_array("log_std", self._policy.log_std, policy.arrays)
        self._ema = [parameter.detach().clone() for parameter in self._actor(self._model)]

    def _own_state(self) -> State:
        return {
            "optimiser": optimiser_state(self._policy.optimizer),
            "ema": {str(i): mean.numpy().copy() for i, mean in enumerate(self._ema)},
            "updates": self._updates,
        }

    def _set_own_state(self, state: State) -> None:
        set_optimiser_state(self._policy.optimizer, state["optimiser"])
        self._ema = [torch.as_tensor(np.array(state["ema"][str(i)])) for i in range(len(self._ema))]
        self._updates = int(state["updates"])


class _Averaged:
    """Puts the mean weights into the actor for the length of a `with` block."""

    def __init__(self, learner: SB3PPO) -> None:
        self._pairs = list(zip(learner._actor(learner._model), learner._ema, strict=True))

    def __enter__(self) -> None:
        self._kept = [parameter.detach().clone() for parameter, _ in self._pairs]
        with torch.no_grad():
            for parameter, mean in self._pairs:
                parameter.copy_(mean)

    def __exit__(self, *_: object) -> None:
        with torch.no_grad():
            for (parameter, _mean), kept in zip(self._pairs, self._kept, strict=True):
                parameter.copy_(kept)
