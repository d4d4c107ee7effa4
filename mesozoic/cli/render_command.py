"""`mesozoic render`: a video and a picture strip of a policy, or a page that replays an episode."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import (
    Ghosts,
    HtmlPage,
    PolicyArgument,
    PolicySpecies,
    PolicyStage,
    StageOverride,
    StageWords,
    path_option,
    refuse_ghosts,
)


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
    html: HtmlPage = None,
    ghost: Ghosts = None,
    override: StageOverride = None,
) -> None:
    """Render one unseen episode to MP4, in real time and with its pushes, and to a PNG strip; or to a page."""
    overrides = [*(override or []), *(words or [])]
    if html is not None:
        from mesozoic.page.replays import replay_episode

        page = replay_episode(
            policy,
            html,
            stage,
            species,
            seed=seed,
            episode=episode,
            statue=statue,
            overrides=overrides,
            ghosts=ghost or (),
        )
        _say(page.first.seconds, page.first.struck_seconds, page.first.ended)
        typer.echo(f"page {html} ({page.size / 1e6:.2f} MB); open it in any browser, it needs no network")
        if output is None and strip is None:
            return
    refuse_ghosts(ghost, html)
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
            overrides=overrides,
            on_frame=show,
        )
    finally:
        if bars:
            progress.stop()
    if html is None:
        _say(drawn.seconds, drawn.struck_at, drawn.ended)
    if drawn.video is not None:
        typer.echo(f"video {drawn.video}")
    typer.echo(f"strip {drawn.strip}")


def _say(seconds: float, struck_at: float | None, ended: str) -> None:
    hit = "" if struck_at is None else f", hit at {struck_at:.1f} s"
    typer.echo(f"{seconds:.1f} s{hit}, ended: {ended}")
