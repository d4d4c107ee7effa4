"""`mesozoic render`: a video and a picture strip of a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import PolicyArgument, PolicySpecies, PolicyStage, StageOverride, StageWords, path_option


def render(
    policy: PolicyArgument,
    words: StageWords = None,
    stage: PolicyStage = None,
    species: PolicySpecies = None,
    output: Annotated[Path | None, path_option("Video file (.mp4); default: beside the policy.")] = None,
    strip: Annotated[Path | None, path_option("Picture strip (.png); default: beside the video.")] = None,
    seed: Annotated[int, typer.Option(help="Which set of unseen episodes.", min=0)] = 0,
    episode: Annotated[int, typer.Option(help="Which episode of the set.", min=0, max=4095)] = 0,
    statue: Annotated[bool, typer.Option("--statue", help="Show the statue instead, for comparison.")] = False,
    video: Annotated[bool, typer.Option(help="Write the video; --no-video writes the strip alone.")] = True,
    override: StageOverride = None,
) -> None:
    """Render one unseen episode to MP4, in real time and with its pushes, and to a PNG strip."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from mesozoic.run.rendering import render_policy

    bars: dict[str, TaskID] = {}
    progress = Progress(console=Console(stderr=True))

    def show(what: str, done: int, total: int) -> None:
        progress.start()
        if what not in bars:
            bars[what] = progress.add_task(what)
        progress.update(bars[what], completed=done, total=total)

    try:
        drawn = render_policy(
            policy,
            stage,
            species,
            output=output,
            strip=strip,
            seed=seed,
            episode=episode,
            statue=statue,
            video=video,
            overrides=[*(override or []), *(words or [])],
            on_frame=show,
        )
    finally:
        if bars:
            progress.stop()
    hit = "" if drawn.struck_at is None else f", hit at {drawn.struck_at:.1f} s"
    typer.echo(f"{drawn.seconds:.1f} s{hit}, ended: {drawn.ended}")
    if drawn.video is not None:
        typer.echo(f"video {drawn.video}")
    typer.echo(f"strip {drawn.strip}")
