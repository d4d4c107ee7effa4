"""PPO in one file, as single-file libraries write it, on the batch of worlds that `gymnasium.make_vec` gives.

    pip install -e ".[sb3]"     (for PyTorch)
    python examples/ppo_one_file.py --id mesozoic/Velociraptor-Balance-v0 --timesteps 500000

Gymnasium, PyTorch and the environment's id are all it knows. `SameStep` begins the next episode in the step that ends
one, so that no row of a rollout is lost; an episode that ran out of time is bootstrapped from its last observation,
which `infos["final_obs"]` holds.
"""

from __future__ import annotations

import argparse
import time

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from torch import nn

import mesozoic  # noqa: F401 - registers the environments

STEPS, EPOCHS, BATCH = 32, 4, 1024
GAMMA, LAMBDA, CLIP, LEARNING_RATE, LOG_STD = 0.99, 0.95, 0.2, 3e-4, -1.0


class Agent(nn.Module):
    """A Gaussian policy and a value, on observations that are standardised by what was seen so far."""

    def __init__(self, observations: int, actions: int) -> None:
        super().__init__()
        self.actor, self.critic = _network(observations, actions, 0.01), _network(observations, 1, 1.0)
        self.log_std = nn.Parameter(torch.full((actions,), LOG_STD))
        self.register_buffer("count", torch.tensor(1e-4))
        self.register_buffer("mean", torch.zeros(observations))
        self.register_buffer("var", torch.ones(observations))

    def see(self, rows: torch.Tensor) -> None:
        """Merge `rows` [m, nobs] into the mean and variance of observations."""
        off, total = rows.mean(0) - self.mean, self.count + len(rows)
        self.var = (self.var * self.count + rows.var(0) * len(rows) + off**2 * self.count * len(rows) / total) / total
        self.mean, self.count = self.mean + off * len(rows) / total, total

    def forward(self, rows: torch.Tensor) -> tuple[torch.distributions.Normal, torch.Tensor]:
        """Distribution of actions [..., nu] and value [...] of observations [..., nobs]."""
        rows = ((rows - self.mean) / (self.var + 1e-8).sqrt()).clamp(-10, 10)
        return torch.distributions.Normal(self.actor(rows), self.log_std.exp()), self.critic(rows).squeeze(-1)


def _network(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    layers = [nn.Linear(inputs, 64), nn.Linear(64, 64), nn.Linear(64, outputs)]
    for layer, size in zip(layers, (2**0.5, 2**0.5, gain), strict=True):
        nn.init.orthogonal_(layer.weight, size)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


@torch.no_grad()
def collect(envs: VectorEnv, agent: Agent, observation: np.ndarray) -> tuple[tuple[torch.Tensor, ...], np.ndarray]:
    """One rollout: observations, actions, their log probabilities, advantages and returns, [STEPS * n, ...] each."""
    seen, acted, chance, reward, value, beyond, done = ([] for _ in range(7))
    for _ in range(STEPS):
        seen.append(torch.as_tensor(observation))
        distribution, worth = agent(seen[-1])
        acted.append(distribution.sample())
        chance.append(distribution.log_prob(acted[-1]).sum(-1))
        value.append(worth)
        observation, gained, terminated, truncated, infos = envs.step(acted[-1].numpy())
        after = observation.copy()
        if truncated.any():
            after[truncated] = np.stack(infos["final_obs"][truncated])
        beyond.append(agent(torch.as_tensor(after))[1] * torch.as_tensor(~terminated))
        reward.append(torch.as_tensor(gained))
        done.append(torch.as_tensor(terminated | truncated))
    advantage, ahead = [], torch.zeros(envs.num_envs)
    for t in reversed(range(STEPS)):
        ahead = reward[t] + GAMMA * beyond[t] - value[t] + GAMMA * LAMBDA * ahead * ~done[t]
        advantage.insert(0, ahead)
    columns = seen, acted, chance, advantage, [a + v for a, v in zip(advantage, value, strict=True)]
    return tuple(torch.cat(rows) for rows in columns), observation


def update(agent: Agent, optimiser: torch.optim.Optimizer, rollout: tuple[torch.Tensor, ...]) -> None:
    """Clipped policy gradient, squared error of the value, in minibatches."""
    for _ in range(EPOCHS):
        for some in torch.randperm(len(rollout[0])).split(BATCH):
            seen, acted, before, advantage, returned = (part[some] for part in rollout)
            distribution, value = agent(seen)
            ratio = (distribution.log_prob(acted).sum(-1) - before).exp()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            loss = 0.5 * (value - returned).square().mean() - gain
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimiser.step()


def main(arguments: list[str] | None = None) -> list[float]:
    """Train; the mean return of the last hundred episodes after each rollout."""
    parser = argparse.ArgumentParser(description="PPO in one file on gymnasium.make_vec")
    parser.add_argument("--id", default="mesozoic/Velociraptor-Balance-v0")
    parser.add_argument("--timesteps", type=int, default=500_000)
    parser.add_argument("--num-envs", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the networks are small, and the worlds need the cores
    torch.manual_seed(options.seed)
    batch = gymnasium.make_vec(options.id, num_envs=options.num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = RecordEpisodeStatistics(batch)
    agent = Agent(envs.single_observation_space.shape[0], envs.single_action_space.shape[0])
    optimiser = torch.optim.Adam(agent.parameters(), LEARNING_RATE, eps=1e-5)
    observation, _ = envs.reset(seed=options.seed)
    began, means = time.perf_counter(), []
    for step in range(0, options.timesteps, STEPS * envs.num_envs):
        rollout, observation = collect(envs, agent, observation)
        update(agent, optimiser, rollout)
        agent.see(rollout[0])
        means.append(float(np.mean(envs.return_queue)) if envs.return_queue else float("nan"))
        speed = (step + STEPS * envs.num_envs) / (time.perf_counter() - began)
        print(f"step {step + STEPS * envs.num_envs}  return {means[-1]:.2f}  {speed:.0f} steps/s", flush=True)
    envs.close()
    return means


if __name__ == "__main__":
    main()
