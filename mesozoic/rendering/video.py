"""Renders a recording: a video in real time, or a strip of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.files import replacing
from mesozoic.rendering.ffmpeg import mp4
from mesozoic.rendering.recording import Recording
from mesozoic.rendering.scene import ALARM, DONE, WHITE, SceneRenderer, caption, push_arrows, viz_module
from mesozoic.species import Species

Progress = Callable[[int, int], None]
"""Called with the frames done and the frames in all."""

DEFAULT_FPS = 25.0
AFTER_HIT = 0.5
"""A strip shows a moment at most so many seconds after the hit."""


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
        UserError: the `[viz]` extra is missing, no OpenGL works, ffmpeg does not run, a size or `fps` makes no
            sense, or `path` cannot be written.
    """
    fps = DEFAULT_FPS if fps is None else fps
    fastest = 1.0 / recording.dt
    if not 1.0 <= fps <= fastest + 1e-6:
        raise UserError(f"fps is {fps:g}; give a number from 1 to {fastest:g}")
    if width < 2 or height < 2 or width % 2 or height % 2:
        raise UserError(f"the video size is {width} x {height}; H.264 needs even numbers of pixels, so give such")
    count = math.floor(recording.seconds * fps + 1e-6) + 1
    moments = [round(k / (fps * recording.dt)) for k in range(count)]
    with replacing(path) as temporary, mp4(temporary, width, height, fps) as send:
        for done, frame in enumerate(_frames(recording, species, moments, width, height, fine), start=1):
            send(frame)
            if on_frame is not None:
                on_frame(done, count)


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
