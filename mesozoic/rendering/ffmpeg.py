"""The ffmpeg that packs videos: which program it is, whether it runs, and what went wrong with it in one sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError, shown
from mesozoic.rendering.scene import viz_module

CHOICE = "IMAGEIO_FFMPEG_EXE"
"""The environment variable that names another ffmpeg than the one of the `[viz]` extra."""
SECONDS = 30.0
"""That it may take to say its version."""


def check_ffmpeg() -> None:
    """Refuse to draw what could not be packed.

    Raises:
        UserError: the `[viz]` extra is missing, or the ffmpeg that would be used does not run.
    """
    program = None
    try:
        program = viz_module("imageio_ffmpeg").get_ffmpeg_exe()
        said = subprocess.run([program, "-version"], capture_output=True, timeout=SECONDS, check=True).stdout
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise UserError(f"ffmpeg {shown(str(program), 120)} does not run ({reason}); {_advice()}") from None
    if not said.startswith(b"ffmpeg version"):
        raise UserError(f"{shown(str(program), 120)} is no ffmpeg; {_advice()}")


@contextmanager
def mp4(path: Path, width: int, height: int, fps: float) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Give a function that takes one frame [height, width, 3] after the other; `path` is complete after the block.

    Raises:
        UserError: the `[viz]` extra is missing, ffmpeg does not run, or it fails.
    """
    check_ffmpeg()
    writer = viz_module("imageio_ffmpeg").write_frames(
        str(path),
        (width, height),
        fps=fps,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        quality=6,
        macro_block_size=2,
        ffmpeg_log_level="quiet",  # what it says goes past us, onto the screen
        # Drawing needs the cores more than packing does; browsers can begin before they have all of it.
        output_params=["-preset", "veryfast", "-movflags", "+faststart"],
    )

    def send(frame: NDArray[np.uint8] | None) -> None:
        try:
            writer.send(frame)
        except OSError:  # it ended before it had all frames
            raise UserError(
                f"ffmpeg could not write {shown(str(path.parent), 120)}; {_advice()}, or make room"
            ) from None

    send(None)
    try:
        yield send
    finally:
        writer.close()  # waits for ffmpeg to finish the file
    if not path.exists() or not path.stat().st_size:
        raise UserError(f"ffmpeg wrote nothing into {shown(str(path.parent), 120)}; {_advice()}, or make room")


def _advice() -> str:
    if os.environ.get(CHOICE):
        return f"unset {CHOICE}, or set it to one that writes H.264"
    return "reinstall it with pip install 'mesozoic[viz]'"
