"""The trained policies that ship with the package: `<species>/stage<N>.zip`."""

from __future__ import annotations

from pathlib import Path

from mesozoic.errors import UserError

FOLDER = Path(__file__).parent


def shipped_stages(species: str) -> tuple[int, ...]:
    """Stages of `species` for which a policy ships, in order."""
    return tuple(sorted(int(path.stem.removeprefix("stage")) for path in (FOLDER / species).glob("stage?.zip")))


def shipped_policy(species: str, stage: int | None = None) -> Path:
    """The policy of a stage, by default the last one that ships.

    Raises:
        UserError: none ships.
    """
    stages = shipped_stages(species)
    if not stages:
        raise UserError(f"no policy of '{species}' ships with this version; train one: mesozoic curriculum {species}")
    chosen = stages[-1] if stage is None else stage
    if chosen not in stages:
        known = ", ".join(map(str, stages))
        raise UserError(f"no policy of {species} stage {chosen} ships with this version; there are stages {known}")
    return FOLDER / species / f"stage{chosen}.zip"
