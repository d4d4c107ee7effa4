"""`mesozoic watch`: a page that follows a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import read_path
from mesozoic.cli.serving import Browser, Port


def watch(
    run: Annotated[Path, typer.Argument(parser=read_path, help="Run folder of the training.", metavar="RUN")],
    stage: Annotated[int | None, typer.Option(help="Which stage; default: the one that is trained now.")] = None,
    port: Port = 0,
    browser: Browser = True,
) -> None:
    """Watch a training: its newest policy to play with, its curves, what is missing to its gate. Ctrl-C ends it."""
    from mesozoic.cli.serving import serve
    from mesozoic.page.follow import Follower
    from mesozoic.page.html import player_html
    from mesozoic.page.parcel import parcel_of
    from mesozoic.page.server import PageServer

    follower = Follower(run, stage)
    play = follower.play()
    start = {"animal": play.policy.species, "stage": play.policy.stage, "seed": 0, "episode": 0, "follow": True}
    parcel = parcel_of([(follower.species(), [play])], start)
    serve(PageServer(player_html(parcel, follows=True), port, {"/news": follower.news}), browser)
