"""`mesozoic play`: a page in which a trained animal lives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import PolicySpecies, PolicyStage, StageOverride, StageWords, path_option, read_path
from mesozoic.cli.serving import Browser, Port


def play(
    policy: Annotated[
        Path | None,
        typer.Argument(
            parser=read_path, help="Policy file, run folder, or a species whose policy ships.", metavar="[POLICY]"
        ),
    ] = None,
    words: StageWords = None,
    stage: PolicyStage = None,
    species: PolicySpecies = None,
    seed: Annotated[int, typer.Option(help="Which set of unseen episodes.", min=0)] = 0,
    episode: Annotated[int, typer.Option(help="Which episode of the set.", min=0, max=4095)] = 0,
    html: Annotated[Path | None, path_option("Write the page as one file that needs no network, and end.")] = None,
    port: Port = 0,
    browser: Browser = True,
    override: StageOverride = None,
) -> None:
    """Play with a trained animal in the browser: push it, lead it, choose stages and seeds. Ctrl-C ends it."""
    from mesozoic.cli.serving import serve
    from mesozoic.page.html import check_html, player_html
    from mesozoic.page.play import playable_page, write_page
    from mesozoic.page.server import PageServer

    if html is not None:
        check_html(html)
    overrides = [*(override or []), *(words or [])]
    page = playable_page(policy, stage, species, overrides, seed, episode)
    for sentence in page.left_out:
        typer.echo(f"note: {sentence}", err=True)
    if html is not None:
        size = write_page(page, html)
        typer.echo(f"page {html} ({size / 1e6:.2f} MB); open it in any browser, it needs no network")
        return
    serve(PageServer(player_html(page.parcel), port), browser)
