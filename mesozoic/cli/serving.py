"""What the commands that serve a page share: they say where it is, open it, and go on until Ctrl-C."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mesozoic.page.server import PageServer

Port = Annotated[int, typer.Option(help="Port on this machine; 0: a free one.", min=0, max=65535)]
Browser = Annotated[bool, typer.Option(help="Open the page in the browser; not over ssh.")]


def serve(server: PageServer, browser: bool) -> None:
    """Serve until Ctrl-C, which is how this ends: no failure.

    Raises:
        Interrupted: another signal came.
    """
    from mesozoic.errors import Interrupted
    from mesozoic.page.server import open_browser, reached_from
    from mesozoic.run.interrupt import Interrupts

    with Interrupts() as interrupts, server.running():
        typer.echo(f"page {server.address}")
        if tunnel := reached_from(server.port):
            typer.echo(f"from your own machine: {tunnel}   then open that address there")
        elif browser:
            open_browser(server.address)
        typer.echo("Ctrl-C ends it")
        while interrupts.received is None:
            time.sleep(0.1)
    if interrupts.received != signal.SIGINT:
        raise Interrupted(interrupts.received)
