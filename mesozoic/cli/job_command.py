"""`mesozoic job`: what a container image runs on a rented machine."""

from __future__ import annotations

import typer


def job() -> None:
    """Train what environment variables ask for (SPECIES, STAGE, RESULTS, RUN_NAME, ...), as on any rented machine."""
    from mesozoic.job.__main__ import main

    raise typer.Exit(main())
