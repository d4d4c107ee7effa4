"""A trial that takes seconds: what its training is made of, and a point of a search space."""

from __future__ import annotations

SMALL = (
    "stage.n_envs=8",
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.net_arch=[16, 16]",
    "curriculum.eval_freq=128",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
)
TINY = (*SMALL, "curriculum.timesteps=512", "curriculum.save_freq=128", "curriculum.min_avg_reward=-1e9")
POINT = {"ppo.learning_rate": 1e-4, "ppo.n_epochs": 2.0}
