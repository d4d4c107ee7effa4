"""What is played: which animals, stages and policies are in the page, and which of them it shows first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.config import parse_overrides
from mesozoic.errors import UserError
from mesozoic.learn.policy import load_policy
from mesozoic.page.html import player_html, write_html
from mesozoic.page.parcel import Playable, model_text, parcel_of
from mesozoic.policies import policies_folder, shipped_policy, shipped_stages
from mesozoic.run.folder import begun_stages
from mesozoic.run.policy_source import open_policy, policy_file
from mesozoic.run.provenance import source_name
from mesozoic.species import Species, get_species, load_stage
from mesozoic.species.registry import species_names

SHIPPED = "trained, ships with mesozoic"


@dataclass(frozen=True)
class Page:
    """What is in a page.

    Attributes:
        parcel: all of it, JSON.
        left_out: a sentence for each animal that nobody asked for and that cannot be in it.
    """

    parcel: dict[str, Any]
    left_out: tuple[str, ...] = ()


def playable_page(
    source: Path | None,
    stage: int | None = None,
    species: str | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    episode: int = 0,
) -> Page:
    """A page that shows `source` first: a policy file, a run folder or a species; None: any animal.

    Of a run folder all stages are in it, each with its own configuration, and of the animal what else ships; then all
    other animals with the policies that ship. `overrides` are for the animal of `source`.

    Raises:
        UserError: no such policy, it does not fit, or its animal cannot live in a page.
    """
    if seed < 0:
        raise UserError(f"seed {seed} is out of range; give 0 or more")
    first = Path(species or next(iter(species_names()))) if source is None else source
    animal, number, plays = _asked_for(first, stage, species, overrides)
    model_text(animal)
    chosen: list[tuple[Species, list[Playable]]] = [(animal, plays)]
    left_out = []
    for name in species_names():
        if name == animal.name:
            continue
        try:
            if others := _shipped(name):
                other = get_species(name)
                model_text(other)
                chosen.append((other, others))
        except UserError as error:  # of another package: nobody asked for it
            left_out.append(f"{name} is left out: {error}")
    start = {"animal": animal.name, "stage": number, "seed": seed, "episode": episode}
    return Page(parcel_of(chosen, start), tuple(left_out))


def _asked_for(
    source: Path, stage: int | None, species: str | None, overrides: Sequence[str]
) -> tuple[Species, int, list[Playable]]:
    """The animal, the stage that is shown first, and everything that this animal is played with."""
    policy, animal, config = open_policy(source, species, overrides, stage)
    ours = policies_folder(animal.name)
    plays = {policy.stage: Playable(policy, config, _title(policy_file(source, stage), ours))}
    run = source if source.is_dir() else None
    for other in begun_stages(run) if run else ():
        if other not in plays:
            try:
                found, _, setting = open_policy(source, animal.name, overrides, other)
            except UserError:  # it is not trained yet
                continue
            plays[other] = Playable(found, setting, _title(policy_file(source, other), ours))
    for play in _shipped(animal.name, overrides):
        plays.setdefault(play.policy.stage, play)
    return animal, policy.stage, [plays[one] for one in sorted(plays)]


def _shipped(name: str, overrides: Sequence[str] = ()) -> list[Playable]:
    """All policies that ship of an animal, on its stages."""
    changes = parse_overrides(overrides)
    return [
        Playable(load_policy(shipped_policy(name, stage)), load_stage(name, stage, changes), SHIPPED)
        for stage in shipped_stages(name)
    ]


def _title(file: Path, ours: Path) -> str:
    """Where a policy is from."""
    return SHIPPED if file.is_relative_to(ours) else source_name(file)


def write_page(page: Page, output: Path) -> int:
    """Write the page as one HTML file; returns its size in bytes.

    Raises:
        UserError: it has another ending, or nothing can be written there.
    """
    return write_html(output, player_html(page.parcel))
