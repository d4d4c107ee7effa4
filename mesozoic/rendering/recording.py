"""A recording: the poses of one episode of one animal, and what pushed it and what it should reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.sim.actor import Actor
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

SPEED_WINDOW = 1.0
"""Seconds over which a speed is averaged."""


class Target(NamedTuple):
    """The point to reach: where it is [3] and its radius, in metres, and whether it has been hit."""

    point: NDArray[np.float32]
    radius: float
    struck: bool = False


@dataclass(frozen=True, eq=False)
class Recording:
    """One episode of T control steps.

    Attributes:
        dt: seconds of one control step.
        qpos [T+1, nq]: poses; `qpos[t]` is `t * dt` seconds after the beginning.
        push_force [T, 3]: force on the torso during step t, world frame, newtons.
        push_velocity [T, 3]: the velocity change that the push acting in step t gives in all, m/s.
        reward [T]: reward of step t.
        ended: `success`, `timeout`, `cut` (by `max_steps`), or what failed: `low`, `tilted`, `low+tilted`,
            `diverged`.
        task: `balance`, `locomotion` or `behaviour`.
        target [3]: the point to reach, or None; reach: within which distance of it, both in metres.
        struck_at: `qpos[struck_at]` is the pose in which the target was hit; None if it was not.
    """

    dt: float
    qpos: NDArray[np.float32]
    push_force: NDArray[np.float32]
    push_velocity: NDArray[np.float32]
    reward: NDArray[np.float32]
    ended: str
    task: str = "balance"
    target: NDArray[np.float32] | None = None
    reach: float = 0.0
    struck_at: int | None = None

    @property
    def steps(self) -> int:
        return len(self.reward)

    @property
    def seconds(self) -> float:
        return self.steps * self.dt

    def target_at(self, pose: int = 0) -> Target | None:
        """The target as it is at a pose."""
        if self.target is None:
            return None
        return Target(self.target, self.reach, struck=self.struck_at is not None and pose >= self.struck_at)

    def speed(self, pose: int) -> float | None:
        """Mean horizontal speed in m/s over the second before a pose; None in the first second."""
        window = round(SPEED_WINDOW / self.dt)
        if pose < window:
            return None
        return float(np.linalg.norm(self.qpos[pose, :2] - self.qpos[pose - window, :2])) / (window * self.dt)


def record(
    species: Species,
    config: StageConfig,
    policy_act: Actor,
    seed: int,
    stream: Stream = Stream.EVAL,
    episode_world: int = 0,
    max_steps: int | None = None,
) -> Recording:
    """Run one episode to its end, or for `max_steps` steps.

    `seed`, `stream` and `episode_world` pick the episode: the one that `run_episodes` with the same seed and
    stream runs in that world. The policy sees one observation [1, nobs] at a time here, so its actions may
    differ in the last bits from those that it takes for many worlds at once.

    Raises:
        UserError: `episode_world` is negative or `max_steps` is not positive.
    """
    from mesozoic import task
    from mesozoic.sim.native_env import native_env
    from mesozoic.task.pushes import push_steps

    if episode_world < 0:
        raise UserError(f"episode_world is {episode_world}; give 0 or more")
    if max_steps is not None and max_steps < 1:
        raise UserError(f"max_steps is {max_steps}; give 1 or more")
    # A world's number decides its episodes, so world i needs the worlds before it; they stand still.
    env = native_env(species, config.env, episode_world + 1, seed, stream, auto_reset=False, threads=1)
    only = np.arange(env.n) == episode_world
    observation = env.reset()
    qpos = [env.engine.sensed().qpos[episode_world]]
    forces: list[NDArray[np.float32]] = []
    rewards: list[np.float32] = []
    action = np.zeros((env.n, env.action_size), dtype=np.float32)
    ended, struck_at = "cut", None
    while max_steps is None or len(rewards) < max_steps:
        forces.append(task.push_force(np, env.anatomy, env.env, env.task_state)[episode_world])
        action[episode_world] = policy_act(observation[only])[0]
        outcome = env.step(action, only)
        observation = outcome.observation
        pose = env.engine.sensed().qpos[episode_world]
        qpos.append(pose if np.isfinite(pose).all() else qpos[-1])  # a diverged pose cannot be drawn
        rewards.append(outcome.reward[episode_world])
        if struck_at is None and env.task_state.struck[episode_world] >= 0:
            struck_at = len(rewards)
        if (outcome.truncated | outcome.terminated)[episode_world]:
            failed = "+".join(name for name, mask in outcome.reasons.items() if mask[episode_world])
            ended = "success" if outcome.succeeded[episode_world] else failed or "timeout"
            break
    push_force = np.array(forces, dtype=np.float32)
    impulse_time = push_steps(env.anatomy, env.env) * env.anatomy.dt
    return Recording(
        dt=env.anatomy.dt,
        qpos=np.array(qpos, dtype=np.float32),
        push_force=push_force,
        push_velocity=push_force * np.float32(impulse_time / env.anatomy.mass),
        reward=np.array(rewards, dtype=np.float32),
        ended=ended,
        task=config.env.task,
        target=env.task_state.target[episode_world].copy() if config.env.has_target else None,
        reach=config.env.reach_radius * species.hip_height,
        struck_at=struck_at,
    )
