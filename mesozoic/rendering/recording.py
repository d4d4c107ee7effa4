"""A recording: the poses of one episode of one animal, and what pushed it and what it should reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.sim.actor import Actor
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

if TYPE_CHECKING:  # they load MuJoCo, before which drawing chooses its OpenGL
    from mesozoic.sim.batch_env import BatchEnv
    from mesozoic.task import Transition

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
        foot_load [T, nfeet]: floor force on each foot in step t as a share of body weight; foot_names: of the feet.
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
    foot_load: NDArray[np.float32] | None = None
    foot_names: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        return len(self.reward)

    @property
    def seconds(self) -> float:
        return self.steps * self.dt

    @property
    def struck_seconds(self) -> float | None:
        """Second in which the target was hit; None if it was not."""
        return None if self.struck_at is None else self.struck_at * self.dt

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
    from mesozoic.sim.native_env import native_env

    if episode_world < 0:
        raise UserError(f"episode_world is {episode_world}; give 0 or more")
    if max_steps is not None and max_steps < 1:
        raise UserError(f"max_steps is {max_steps}; give 1 or more")
    # A world's number decides its episodes, so world i needs the worlds before it; they stand still.
    env = native_env(species, config.env, episode_world + 1, seed, stream, auto_reset=False, threads=1)
    only = np.arange(env.n) == episode_world
    observation = env.reset()
    poses = PoseRecorder([episode_world])
    poses.begin(env)
    action = np.zeros((env.n, env.action_size), dtype=np.float32)
    while max_steps is None or poses.steps < max_steps:
        poses.before(env)
        action[episode_world] = policy_act(observation[only])[0]
        outcome = env.step(action, only)
        observation = outcome.observation
        poses.after(env, outcome)
        if (outcome.truncated | outcome.terminated)[episode_world]:
            break
    return poses.recordings()[0]


class PoseRecorder:
    """Makes a `Recording` of the episode of each of some worlds of an environment, while somebody steps it.

    Args:
        worlds: which; None: all.
    """

    def __init__(self, worlds: Sequence[int] | None = None) -> None:
        self._wanted = worlds
        self._qpos: list[NDArray[np.float32]] = []
        self._force: list[NDArray[np.float32]] = []
        self._reward: list[NDArray[np.float32]] = []
        self._load: list[NDArray[np.float32]] = []

    @property
    def steps(self) -> int:
        return len(self._reward)

    def begin(self, env: BatchEnv) -> None:
        """After the reset."""
        self._env = env
        self._worlds = np.arange(env.n) if self._wanted is None else np.array(self._wanted)
        count = len(self._worlds)
        self._ended: list[str] = ["cut"] * count
        self._length = np.zeros(count, dtype=np.int64)
        self._struck = np.full(count, -1, dtype=np.int64)
        self._qpos.append(env.engine.sensed().qpos[self._worlds].astype(np.float32))
        self._target = env.task_state.target[self._worlds].copy() if env.env.has_target else None

    def before(self, env: BatchEnv) -> None:
        """Before a step."""
        from mesozoic import task

        self._force.append(task.push_force(np, env.anatomy, env.env, env.task_state)[self._worlds])

    def after(self, env: BatchEnv, outcome: Transition) -> None:
        """After it; what worlds do whose episode is over is not in their recording."""
        at = self._worlds
        pose = env.engine.sensed().qpos[at].astype(np.float32)
        finite = np.isfinite(pose).all(axis=1, keepdims=True)
        self._qpos.append(np.where(finite, pose, self._qpos[-1]))  # a diverged pose cannot be drawn
        self._reward.append(outcome.reward[at])
        self._load.append(np.nan_to_num(env.sensed.foot_force[at] / np.float32(env.anatomy.weight)))
        running = np.array([ended == "cut" for ended in self._ended], dtype=bool)
        self._length += running
        self._struck[running & (self._struck < 0) & (env.task_state.struck[at] >= 0)] = self.steps
        for i in np.flatnonzero(running & (outcome.truncated | outcome.terminated)[at]):
            self._ended[i] = _ending(outcome, int(at[i]))

    def recordings(self) -> list[Recording]:
        """One for each world, in order."""
        from mesozoic.task.pushes import push_steps

        anatomy, stage = self._env.anatomy, self._env.env
        impulse_time = push_steps(anatomy, stage) * anatomy.dt
        qpos, load = np.stack(self._qpos), np.stack(self._load)
        force, reward = np.stack(self._force).astype(np.float32), np.stack(self._reward).astype(np.float32)
        return [
            Recording(
                dt=anatomy.dt,
                qpos=qpos[: length + 1, i].copy(),
                push_force=force[:length, i].copy(),
                push_velocity=force[:length, i] * np.float32(impulse_time / anatomy.mass),
                reward=reward[:length, i].copy(),
                ended=self._ended[i],
                task=stage.task,
                target=None if self._target is None else self._target[i],
                reach=stage.reach_radius * anatomy.hip_height,
                struck_at=None if self._struck[i] < 0 else int(self._struck[i]),
                foot_load=load[:length, i].copy(),
                foot_names=anatomy.foot_names,
            )
            for i, length in enumerate(self._length)
        ]


def _ending(outcome: Transition, world: int) -> str:
    """How the episode of a world ended in this step: see `Recording.ended`."""
    failed = "+".join(name for name, mask in outcome.reasons.items() if mask[world])
    return "success" if outcome.succeeded[world] else failed or "timeout"
