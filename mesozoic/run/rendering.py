"""Pictures of a policy as users ask for them: which episode, which files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesozoic.errors import UserError
from mesozoic.evaluation.actors import statue as hold_still
from mesozoic.policies import policies_folder
from mesozoic.run.policy_source import open_policy, policy_file

OnFrame = Callable[[str, int, int], None]
"""Takes "video" or "strip", the number of frames that are drawn, and of all."""


@dataclass(frozen=True)
class Rendering:
    """Files that were drawn, and the episode that they show.

    Attributes:
        video: None if only the strip was wanted.
        seconds: of the episode; struck_at: second in which the prey was reached, None if it was not; ended: why.
    """

    video: Path | None
    strip: Path
    seconds: float
    struck_at: float | None
    ended: str


def render_policy(
    source: Path,
    stage: int | None = None,
    species: str | None = None,
    *,
    output: Path | None = None,
    strip: Path | None = None,
    seed: int = 0,
    episode: int = 0,
    statue: bool = False,
    video: bool = True,
    overrides: Sequence[str] = (),
    on_frame: OnFrame | None = None,
) -> Rendering:
    """Draw one unseen episode of what `source` means.

    Raises:
        UserError: no such policy, it does not fit, a file has a wrong ending, or nothing can be drawn here.
    """
    from mesozoic.rendering.gl import choose_gl

    for path, suffix in ((output, ".mp4"), (strip, ".png")):
        if path is not None and path.suffix != suffix:
            raise UserError(f"'{path}' does not end in {suffix}; give a file name that does")
    if seed < 0:
        raise UserError(f"seed {seed} is out of range; give 0 or more")
    choose_gl()

    from mesozoic.rendering.ffmpeg import check_ffmpeg
    from mesozoic.rendering.recording import record
    from mesozoic.rendering.video import render_strip, render_video

    policy, animal, config = open_policy(source, species, overrides, stage)
    if video:
        check_ffmpeg()
    file = policy_file(source, stage)
    if file.is_relative_to(policies_folder(animal.name)):  # it ships with the animal: nothing is written there
        file = Path(f"{animal.name}-{file.name}")
    name = f"{file.stem}-statue" if statue else file.stem
    video_path = output or file.with_name(f"{name}.mp4")
    strip_path = strip or video_path.with_suffix(".png")
    act = hold_still(policy.action_size) if statue else policy.act
    recording = record(animal, config, act, seed, episode_world=episode)

    def tell(what: str) -> Callable[[int, int], None]:
        return lambda done, total: None if on_frame is None else on_frame(what, done, total)

    if video:
        render_video(recording, animal, video_path, on_frame=tell("video"))
    render_strip(recording, animal, strip_path, on_frame=tell("strip"))
    return Rendering(
        video_path if video else None, strip_path, recording.seconds, recording.struck_seconds, recording.ended
    )
