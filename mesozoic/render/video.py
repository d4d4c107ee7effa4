"""Records an episode of one animal and renders it: a video in real time, or a strip of pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.render.scene import ALARM, DONE, WHITE, SceneRenderer, Target, caption, push_arrows, viz_module
from mesozoic.sim.actor import Actor
from mesozoic.sim.samples import Stream
from mesozoic.species import Species

Progress = Callable[[int, int], None]
"""Called with the frames done and the frames in all."""

DEFAULT_FPS = 25.0
SPEED_WINDOW = 1.0
"""Seconds over which the speed in the caption is averaged."""
AFTER_HIT = 0.5
"""A strip shows a moment at most so many seconds after the hit."""


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


def render_video(
    recording: Recording,
    species: Species,
    path: Path,
    width: int = 960,
    height: int = 540,
    fps: float | None = None,
    fine: bool = False,
    on_frame: Progress | None = None,
) -> None:
    """Write the recording as an H.264 MP4 that plays in real time. `path` appears only when it is complete.

    Args:
        width, height: pixels, even numbers.
        fps: frames a second, at most one for each control step; 25 if not given.
        fine: draw shadows, reflections and smooth edges; without a GPU that takes about six times as long.

    Raises:
        UserError: the `[viz]` extra is missing, no OpenGL works, a size or `fps` makes no sense, or `path`
            cannot be written.
    """
    ffmpeg = viz_module("imageio_ffmpeg")
    fps = DEFAULT_FPS if fps is None else fps
    fastest = 1.0 / recording.dt
    if not 1.0 <= fps <= fastest + 1e-6:
        raise UserError(f"fps is {fps:g}; give a number from 1 to {fastest:g}")
    if width < 2 or height < 2 or width % 2 or height % 2:
        raise UserError(f"the video size is {width} x {height}; H.264 needs even numbers of pixels, so give such")
    count = math.floor(recording.seconds * fps + 1e-6) + 1
    moments = [round(k / (fps * recording.dt)) for k in range(count)]
    with replacing(path) as temporary:
        writer = ffmpeg.write_frames(
            str(temporary),
            (width, height),
            fps=fps,
            codec="libx264",
            pix_fmt_in="rgb24",
            pix_fmt_out="yuv420p",
            quality=6,
            macro_block_size=2,
            ffmpeg_log_level="error",
            # Drawing needs the cores more than packing does; browsers can begin before they have all of it.
            output_params=["-preset", "veryfast", "-movflags", "+faststart"],
        )
        writer.send(None)
        try:
            for done, frame in enumerate(_frames(recording, species, moments, width, height, fine), start=1):
                writer.send(frame)
                if on_frame is not None:
                    on_frame(done, count)
        finally:
            writer.close()  # waits for ffmpeg to finish the file


def render_strip(
    recording: Recording,
    species: Species,
    path: Path,
    frames: int = 6,
    width: int = 480,
    height: int = 360,
    fine: bool = True,
    on_frame: Progress | None = None,
) -> None:
    """Write `frames` moments of the recording as one PNG: a row up to four, two rows beyond.

    The moments are equally spaced from the first pose to the last, but for those of `strip_moments`.

    Args:
        width, height: of one moment, pixels.

    Raises:
        UserError: the `[viz]` extra is missing, no OpenGL works, a number makes no sense, or `path` cannot
            be written.
    """
    image_module = viz_module("PIL.Image")
    if frames < 1 or width < 1 or height < 1:
        raise UserError(f"a strip of {frames} frames of {width} x {height} pixels is empty; give positive numbers")
    columns = frames if frames <= 4 else math.ceil(frames / 2)
    moments = strip_moments(recording, frames)
    sheet = np.full((math.ceil(frames / columns) * height, columns * width, 3), 255, dtype=np.uint8)
    with replacing(path) as temporary:
        for i, frame in enumerate(_frames(recording, species, moments, width, height, fine)):
            top, left = i // columns * height, i % columns * width
            sheet[top : top + height, left : left + width] = frame
            if on_frame is not None:
                on_frame(i + 1, frames)
        image_module.fromarray(sheet).save(temporary, format="PNG")


def strip_moments(recording: Recording, frames: int) -> list[int]:
    """Which poses a strip of `frames` pictures shows, in order.

    They are equally spaced, but the nearest one moves to the hit of the target, to shortly after it if none
    is there, and to the strongest push if none shows a push.
    """
    moments = np.linspace(0, recording.steps, frames).round().astype(int)
    fixed = np.zeros(frames, dtype=bool)

    def show(pose: int) -> None:
        if not fixed.all():
            nearest = int(np.argmin(np.where(fixed, np.inf, np.abs(moments - pose))))
            moments[nearest], fixed[nearest] = pose, True

    if recording.struck_at is not None:
        show(recording.struck_at)
        late = min(recording.struck_at + round(AFTER_HIT / recording.dt), recording.steps)
        if not ((moments > recording.struck_at) & (moments <= late)).any() and late > recording.struck_at:
            show(late)
    arrows = push_arrows(recording.push_velocity, recording.dt)
    if not (arrows[moments, 3] > 0.0).any() and (arrows[:, 3] > 0.0).any():
        # Of the strongest push, the last pose before the arrow fades: the body has begun to answer.
        strength = np.linalg.norm(arrows[:, :3], axis=1) * (arrows[:, 3] == 1.0)
        show(recording.steps - int(np.argmax(strength[::-1])))
    return sorted(int(moment) for moment in moments)


def _frames(
    recording: Recording, species: Species, moments: list[int], width: int, height: int, fine: bool
) -> Iterator[NDArray[np.uint8]]:
    """Draw the poses `moments` with captions, [height, width, 3] each."""
    arrows = push_arrows(recording.push_velocity, recording.dt)
    with SceneRenderer(species, width, height, fine) as renderer:
        camera = renderer.camera_path(recording.qpos, recording.dt, recording.target_at())
        for t in moments:
            frame = renderer.frame(recording.qpos[t], camera, t, arrows[t], recording.target_at(t))
            yield caption(frame, t * recording.dt, *_notes(recording, t, arrows[t]))


def _notes(recording: Recording, t: int, push: NDArray[np.float64]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """What the caption says of a pose besides the time: text and colour of each line."""
    speed = recording.speed(t) if recording.task == "locomotion" else None
    if speed is not None:
        yield f"{speed:.2f} m/s", WHITE
    if recording.struck_at is not None and t >= recording.struck_at:
        yield "hit", DONE
    if push[3] > 0.0:
        yield f"push {np.linalg.norm(push[:3]):.2f} m/s", ALARM


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and move it to `path` if the block succeeds; else delete it.

    Raises:
        UserError: nothing can be written there.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); give another path") from None
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
