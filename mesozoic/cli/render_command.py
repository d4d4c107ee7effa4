"""`mesozoic render`: a video and a picture strip of a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import PolicyArgument, PolicySpecies, PolicyStage, StageOverride


def render(
    policy: PolicyArgument,
    stage: PolicyStage = None,
    species: PolicySpecies = None,
    output: Annotated[Path | None, typer.Option(help="Video file (.mp4); default: beside the policy.")] = None,
    strip: Annotated[Path | None, typer.Option(help="Picture strip (.png); default: beside the video.")] = None,
    seed: Annotated[int, typer.Option(help="Which set of unseen episodes.", min=0)] = 0,
    episode: Annotated[int, typer.Option(help="Which episode of the set.", min=0, max=4095)] = 0,
    statue: Annotated[bool, typer.Option("--statue", help="Show the statue instead, for comparison.")] = False,
    video: Annotated[bool, typer.Option(help="Write the video; --no-video writes the strip alone.")] = True,
    override: StageOverride = None,
) -> None:
    """Render one unseen episode to MP4, in real time and with its pushes, and to a PNG strip."""
    from mesozoic.errors import UserError
    from mesozoic.render.gl import choose_gl

    for path, suffix in ((output, ".mp4"), (strip, ".png")):
        if path is not None and path.suffix != suffix:
            raise UserError(f"'{path}' does not end in {suffix}; give a file name that does")
    choose_gl()

    from rich.console import Console
    from rich.progress import Progress

    from mesozoic.cli.policies import open_policy, policy_file
    from mesozoic.evaluate.actors import statue as hold_still
    from mesozoic.policies import policies_folder
    from mesozoic.render.video import record, render_strip, render_video

    loaded, animal, config = open_policy(policy, species, override or [], stage)
    file = policy_file(policy, stage)
    if file.is_relative_to(policies_folder(animal.name)):  # it ships with the animal: nothing is written there
        file = Path(f"{animal.name}-{file.name}")
    name = f"{file.stem}-statue" if statue else file.stem
    video_path = output or file.with_name(f"{name}.mp4")
    strip_path = strip or video_path.with_suffix(".png")
    act = hold_still(loaded.action_size) if statue else loaded.act
    recording = record(animal, config, act, seed, episode_world=episode)
    with Progress(console=Console(stderr=True)) as progress:
        if video:
            bar = progress.add_task("video")
            render_video(
                recording, animal, video_path, on_frame=lambda i, n: progress.update(bar, completed=i, total=n)
            )
        bar = progress.add_task("strip")
        render_strip(recording, animal, strip_path, on_frame=lambda i, n: progress.update(bar, completed=i, total=n))
    hit = "" if recording.struck_at is None else f", hit at {recording.struck_at * recording.dt:.1f} s"
    typer.echo(f"{recording.seconds:.1f} s{hit}, ended: {recording.ended}")
    if video:
        typer.echo(f"video {video_path}")
    typer.echo(f"strip {strip_path}")
