"""SB3's SAC behind the `Learner` contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC

from mesozoic.learn.learner import State
from mesozoic.learn.network_presets import hidden_widths
from mesozoic.learn.policy import Policy
from mesozoic.learn.sb3.learner import SB3Learner
from mesozoic.learn.sb3.torch_state import optimiser_state, set_optimiser_state
from mesozoic.learn.sb3.weights import linear_arrays, load_array, load_linear

BUFFERS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class _SAC(SAC):
    """SAC which can act with its policy while it fills its buffer, where others act at random."""

    acts_at_once = False

    def _sample_action(self, learning_starts: int, *arguments: Any, **keywords: Any) -> Any:
        return super()._sample_action(0 if self.acts_at_once else learning_starts, *arguments, **keywords)


class SB3SAC(SB3Learner):
    """SAC with the keys of `[sac]`. Its replay buffer is part of its state."""

    name = "sb3-sac"
    _model: _SAC

    def _gamma(self) -> float:
        return self._config.sac.gamma

    def _make(self, seed: int) -> _SAC:
        sac, widths = self._config.sac, list(hidden_widths(self._config.sac.net_arch))
        return _SAC(
            "MlpPolicy",
            self._normalisation.venv,
            learning_rate=sac.learning_rate,
            buffer_size=sac.buffer_size,
            learning_starts=sac.learning_starts,
            batch_size=sac.batch_size,
            tau=sac.tau,
            gamma=sac.gamma,
            train_freq=(sac.train_freq, "step"),
            gradient_steps=sac.gradient_steps,
            ent_coef=sac.ent_coef,
            policy_kwargs={"net_arch": {"pi": widths, "qf": widths}},
            seed=seed,
            device="cpu",
        )

    def _chunk(self) -> int:
        return self._config.sac.train_freq * self._env.n

    def _schedule(self) -> None:
        sac, plan = self._config.sac, self._config.curriculum
        end = sac.learning_rate if sac.learning_rate_end is None else sac.learning_rate_end
        share = min(1.0, self.step / plan.timesteps)
        self._set_learning_rate(sac.learning_rate + share * (end - sac.learning_rate))

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        model = self._model
        learned = [] if model.ent_coef_optimizer is None else [model.ent_coef_optimizer]
        return [model.actor.optimizer, model.critic.optimizer, *learned]

    def _after(self) -> None:
        """Nothing: SAC's target networks are averages already."""

    def _actor_modules(self) -> list[torch.nn.Module]:
        return [*self._model.actor.latent_pi, self._model.actor.mu]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = linear_arrays("actor", self._actor_modules())
        arrays |= linear_arrays("log_std", [self._model.actor.log_std])
        for i, net in enumerate(self._model.critic.q_networks):
            arrays |= linear_arrays(f"critic{i}", list(net))
        if self._model.log_ent_coef is not None:
            arrays["log_ent_coef"] = self._model.log_ent_coef.detach().numpy().copy()
        return arrays

    def _activation(self) -> str:
        return "relu"

    def _output(self) -> str:
        return "tanh"

    def _load_weights(self, policy: Policy) -> None:
        load_linear("actor", self._actor_modules(), policy.arrays)
        load_linear("log_std", [self._model.actor.log_std], policy.arrays)
        for i, net in enumerate(self._model.critic.q_networks):
            load_linear(f"critic{i}", list(net), policy.arrays)
        self._model.critic_target.load_state_dict(self._model.critic.state_dict())
        if self._model.log_ent_coef is not None and "log_ent_coef" in policy.arrays:
            load_array("log_ent_coef", self._model.log_ent_coef, policy.arrays)
        self._model.acts_at_once = True

    def _own_state(self) -> State:
        model, buffer = self._model, self._model.replay_buffer
        assert buffer is not None
        filled = buffer.buffer_size if buffer.full else buffer.pos
        state: State = {
            "actor_optimiser": optimiser_state(model.actor.optimizer),
            "critic_optimiser": optimiser_state(model.critic.optimizer),
            "episode_num": int(model._episode_num),
            "buffer": {name: getattr(buffer, name)[:filled].copy() for name in BUFFERS},
            "buffer_pos": int(buffer.pos),
            "buffer_full": int(buffer.full),
        }
        if model.ent_coef_optimizer is not None and model.log_ent_coef is not None:
            state["log_ent_coef"] = model.log_ent_coef.detach().numpy().copy()
            state["ent_coef_optimiser"] = optimiser_state(model.ent_coef_optimizer)
        return state

    def _set_own_state(self, state: State) -> None:
        model, buffer = self._model, self._model.replay_buffer
        assert buffer is not None
        set_optimiser_state(model.actor.optimizer, state["actor_optimiser"])
        set_optimiser_state(model.critic.optimizer, state["critic_optimiser"])
        model._episode_num = int(state["episode_num"])
        for name in BUFFERS:
            rows = np.asarray(state["buffer"][name])
            getattr(buffer, name)[: len(rows)] = rows
        buffer.pos, buffer.full = int(state["buffer_pos"]), bool(state["buffer_full"])
        if model.ent_coef_optimizer is not None and model.log_ent_coef is not None:
            with torch.no_grad():
                model.log_ent_coef.copy_(torch.as_tensor(np.asarray(state["log_ent_coef"])))
            set_optimiser_state(model.ent_coef_optimizer, state["ent_coef_optimiser"])
