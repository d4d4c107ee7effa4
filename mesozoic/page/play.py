"""What is played: which animals, stages and policies are in the page, and which of them it shows first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError
from mesozoic.page.html import player_html, write_html
from mesozoic.page.parcel import Playable, parcel_of
from mesozoic.policies import policies_folder, shipped_stages
from mesozoic.run.policy_source import open_policy, policy_file
from mesozoic.species import Species
from mesozoic.species.registry import species_names

SHIPPED = "trained, ships with mesozoic"


def playable_page(
    source: Path | None,
    stage: int | None = None,
    species: str | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    episode: int = 0,
) -> dict[str, Any]:
    """The parcel of a page that shows `source` first: a policy file, a run folder or a species; None: any animal.

    All animals whose policies ship are in it as well. A policy of one's own takes the place of the shipped one of its
    stage, with its run's own configuration.

    Raises:
        UserError: no such policy, it does not fit, or the animal cannot live in a page.
    """
    if seed < 0:
        raise UserError(f"seed {seed} is out of range; give 0 or more")
    shipped = {name: stages for name in species_names() if (stages := shipped_stages(name))}
    first = source if source is not None else Path(species or next(iter(shipped)))
    found: dict[str, dict[int, Playable]] = {}
    animals: dict[str, Species] = {}

    def add(where: Path, number: int | None, wanted: str | None, changes: Sequence[str]) -> tuple[str, int]:
        policy, animal, config = open_policy(where, wanted, changes, number)
        title = SHIPPED if policy_file(where, number).is_relative_to(policies_folder(animal.name)) else str(where)
        animals[animal.name] = animal
        found.setdefault(animal.name, {})[policy.stage] = Playable(policy, config, title)
        return animal.name, policy.stage

    name, number = add(first, stage, species, overrides)
    for other, stages in shipped.items():
        for one in stages:
            if one not in found.get(other, {}):
                add(Path(other), one, None, overrides if other == name else ())
    chosen = [
        (animals[one], [found[one][at] for at in sorted(found[one])])
        for one in sorted(found, key=lambda one: one != name)
    ]
    return parcel_of(chosen, {"animal": name, "stage": number, "seed": seed, "episode": episode})


def write_page(parcel: dict[str, Any], output: Path) -> int:
    """Write the page as one HTML file; returns its size in bytes.

    Raises:
        UserError: it has another ending, or nothing can be written there.
    """
    return write_html(output, player_html(parcel))
