"""Every key of `[ppo]` and `[sac]`, and of the curriculum, reaches Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from support.learners import learn_until

from mesozoic.config.schema import PPOSection, SACSection

Make = Callable[..., tuple[Any, Any]]

PPO_KEYS: dict[str, tuple[str, Callable[[Any], object], object]] = {
    "learning_rate": ("0.002", lambda model: model.policy.optimizer.param_groups[0]["lr"], 0.002),
    "n_steps": ("16", lambda model: (model.n_steps, model.rollout_buffer.buffer_size), (16, 16)),
    "batch_size": ("16", lambda model: model.batch_size, 16),
    "n_epochs": ("3", lambda model: model.n_epochs, 3),
    "gamma": ("0.9", lambda model: (model.gamma, model.rollout_buffer.gamma, model.env.gamma), (0.9, 0.9, 0.9)),
    "gae_lambda": ("0.8", lambda model: model.rollout_buffer.gae_lambda, 0.8),
    "clip_range": ("0.3", lambda model: model.clip_range(0.5), 0.3),
    "ent_coef": ("0.03", lambda model: model.ent_coef, 0.03),
    "vf_coef": ("0.7", lambda model: model.vf_coef, 0.7),
    "max_grad_norm": ("0.4", lambda model: model.max_grad_norm, 0.4),
    "target_kl": ("0.05", lambda model: model.target_kl, 0.05),
    "log_std_init": ("-1.5", lambda model: set(model.policy.log_std.tolist()), {-1.5}),
    "net_arch": ("small", lambda model: widths(model.policy.mlp_extractor.policy_net), [64, 64]),
}
ELSEWHERE = {
    "learning_rate_end",
    "ent_anneal_fraction",
    "log_std_end",
    "log_std_fraction",
    "average_updates",
}
"""Keys of PPO with tests of their own."""

SAC_KEYS: dict[str, tuple[str, Callable[[Any], object], object]] = {
    "learning_rate": ("0.002", lambda model: [lr(model.actor), lr(model.critic)], [0.002, 0.002]),
    "batch_size": ("16", lambda model: model.batch_size, 16),
    "gamma": ("0.9", lambda model: (model.gamma, model.env.gamma), (0.9, 0.9)),
    "tau": ("0.02", lambda model: model.tau, 0.02),
    "ent_coef": ("0.25", lambda model: (model.ent_coef_tensor.item(), model.log_ent_coef), (0.25, None)),
    "buffer_size": ("80", lambda model: model.replay_buffer.buffer_size, 10),
    "learning_starts": ("40", lambda model: model.learning_starts, 40),
    "train_freq": ("2", lambda model: (model.train_freq.frequency, model.train_freq.unit.value), (2, "step")),
    "gradient_steps": ("5", lambda model: model.gradient_steps, 5),
    "net_arch": ("[8, 24]", lambda model: widths(model.actor.latent_pi), [8, 24]),
}


def lr(module: Any) -> float:
    return float(module.optimizer.param_groups[0]["lr"])


def widths(modules: Any) -> list[int]:
    return [module.out_features for module in modules if hasattr(module, "out_features")]


@pytest.mark.parametrize("key", PPO_KEYS)
def test_a_key_of_ppo(make: Make, key: str) -> None:
    text, read, expected = PPO_KEYS[key]
    _, before = make("ppo")
    assert read(before._model) != expected
    _, learner = make("ppo", f"ppo.{key}={text}")
    assert read(learner._model) == expected


@pytest.mark.parametrize("key", SAC_KEYS)
def test_a_key_of_sac(make: Make, key: str) -> None:
    text, read, expected = SAC_KEYS[key]
    _, learner = make("sac", f"sac.{key}={text}")
    value = read(learner._model)
    assert value == pytest.approx(expected) if key == "learning_rate" else value == expected


def test_no_key_is_forgotten() -> None:
    assert set(PPO_KEYS) | ELSEWHERE == set(PPOSection.model_fields)
    assert set(SAC_KEYS) | {"learning_rate_end"} == set(SACSection.model_fields)


@pytest.mark.parametrize(("preset", "expected"), [("tapered", [256, 128, 64]), ("[12, 6]", [12, 6])])
def test_critics_have_the_widths_as_well(make: Make, preset: str, expected: list[int]) -> None:
    _, ppo = make("ppo", f"ppo.net_arch={preset}")
    assert widths(ppo._model.policy.mlp_extractor.value_net) == expected
    assert ppo.policy().hidden == tuple(expected)
    _, sac = make("sac", f"sac.net_arch={preset}")
    for critic in (*sac._model.critic.q_networks, *sac._model.critic_target.q_networks):
        assert widths(critic) == [*expected, 1]
    assert sac.policy().hidden == tuple(expected)


def test_sac_learns_its_entropy_coefficient(make: Make) -> None:
    _, learner = make("sac", "sac.ent_coef=auto")
    assert learner._model.log_ent_coef.item() == 0.0
    learn_until(learner, 160)
    assert learner._model.log_ent_coef.item() != 0.0
    assert learner._model.ent_coef_optimizer.param_groups[0]["lr"] == pytest.approx(3e-4)


def test_sac_takes_gradient_steps_after_every_train_freq_steps(make: Make) -> None:
    _, learner = make("sac", "sac.gradient_steps=3", "sac.train_freq=2")
    learn_until(learner, 64)
    assert learner._model._n_updates == 0, "as many as learning_starts are not enough"
    learn_until(learner, 65)
    assert (learner.step, learner._model._n_updates) == (80, 3)
    learn_until(learner, 81)
    assert (learner.step, learner._model._n_updates) == (96, 6)


def followed(learner: Any, chunk: int, read: Callable[[Any], float]) -> list[float]:
    """What SB3 was given for each of six rollouts; four PPO rollouts are the budget."""
    seen = []
    train = learner._model.train

    def watch(*arguments: Any, **keywords: Any) -> None:
        train(*arguments, **keywords)
        seen.append(float(read(learner._model)))

    learner._model.train = watch
    learn_until(learner, learner.step + 5 * chunk + 1)
    del learner._model.train
    return seen


def test_the_learning_rate_of_ppo_falls(make: Make) -> None:
    _, learner = make("ppo", "ppo.learning_rate=1e-3", "ppo.learning_rate_end=1e-4")
    rates = followed(learner, 64, lambda model: lr(model.policy))
    assert rates == pytest.approx([1e-3, 7.75e-4, 5.5e-4, 3.25e-4, 1e-4, 1e-4])


def test_the_learning_rates_of_sac_fall(make: Make) -> None:
    rates_of = ("sac.learning_rate=1e-3", "sac.learning_rate_end=2e-4")
    _, learner = make("sac", *rates_of, "sac.learning_starts=0", "sac.ent_coef=auto")
    rates: list[list[float]] = []
    followed(learner, 32, lambda model: rates.append([lr(model.actor), lr(model.critic)]) or 0.0)
    expected = [1e-3, 9e-4, 8e-4, 7e-4, 6e-4, 5e-4]
    np.testing.assert_allclose(rates, np.array([expected, expected]).T)
    assert learner._model.ent_coef_optimizer.param_groups[0]["lr"] == pytest.approx(4e-4), "for the next rollout"


def test_the_entropy_bonus_of_ppo_falls(make: Make) -> None:
    _, learner = make("ppo", "ppo.ent_coef=0.01", "ppo.ent_anneal_fraction=0.5")
    assert followed(learner, 64, lambda model: model.ent_coef) == pytest.approx([0.01, 0.005, 0, 0, 0, 0])


def test_the_clip_range_is_small_during_the_warm_up(make: Make) -> None:
    warm_up = (
        "curriculum.warmup_timesteps=128",
        "curriculum.warmup_clip_range=0.03",
        "curriculum.warmup_ent_coef=0.02",
    )
    _, learner = make("ppo", *warm_up, "ppo.clip_range=0.25", "ppo.ent_coef=0.0")
    both: list[float] = []
    ranges = followed(learner, 64, lambda model: both.append(model.ent_coef) or model.clip_range(0.0))
    assert ranges == pytest.approx([0.03, 0.03, 0.25, 0.25, 0.25, 0.25])
    assert both == pytest.approx([0.02, 0.02, 0, 0, 0, 0])


def test_exploration_is_learned_or_falls(make: Make) -> None:
    _, learned = make("ppo", "ppo.log_std_init=-1.0")
    learn_until(learned, 128)
    values = learned.policy().arrays["log_std"]
    assert len(set(values.tolist())) > 1 and np.abs(values + 1.0).max() < 0.5

    _, given = make("ppo", "ppo.log_std_init=-1.0", "ppo.log_std_end=-2.0", "ppo.log_std_fraction=0.5")
    seen = followed(given, 64, lambda model: np.unique(model.policy.log_std.detach().numpy()).item())
    assert seen == pytest.approx([-1.0, -1.5, -2.0, -2.0, -2.0, -2.0])


@pytest.mark.parametrize(("algorithm", "chunk"), [("ppo", 64), ("sac", 32)])
def test_the_ramp_reaches_the_environment(make: Make, algorithm: str, chunk: int) -> None:
    ramp = ("curriculum.ramp_timesteps=128", "curriculum.ramp_start_value=0.2")
    env, learner = make(algorithm, *ramp, stage=2)
    shares = []
    for _ in range(6):
        shares.append(learn_until(learner, learner.step + 1)["train/ramp"])
        assert env.ramp == shares[-1]
    assert shares == pytest.approx([min(1.0, 0.2 + 0.8 * i * chunk / 128) for i in range(6)])


def test_a_small_target_kl_ends_updates_early(make: Make) -> None:
    _, cautious = make("ppo", "ppo.target_kl=1e-9", "ppo.n_epochs=5")
    learn_until(cautious, 1)
    assert cautious._model._n_updates == 1
    _, free = make("ppo", "ppo.n_epochs=5")
    learn_until(free, 1)
    assert free._model._n_updates == 5
