"""The trained policies that ship with an animal: `<species>/stage<N>.zip` here, or `policies/` in its own folder.

`stage<N>.json` beside one says how it was trained: its seed and what its gate said.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown
from mesozoic.files import cause, read_json, sha256_of
from mesozoic.species.registry import BUILT_IN, species_folder

FOLDER = Path(__file__).parent
POLICY_FILE = re.compile(r"stage([1-9][0-9]?)\.zip")


def policies_folder(species: str) -> Path:
    """Where the policies of an animal lie, if there are any.

    Raises:
        UserError: no such species.
    """
    folder = species_folder(species)
    return FOLDER / folder.name if folder.parent == BUILT_IN else folder / FOLDER.name


def _shipped(species: str) -> dict[int, Path]:
    found = ((POLICY_FILE.fullmatch(path.name), path) for path in policies_folder(species).glob("stage*.zip"))
    return dict(sorted((int(name[1]), path) for name, path in found if name))


def shipped_stages(species: str) -> tuple[int, ...]:
    """Stages of `species` for which a policy ships, in order.

    Raises:
        UserError: no such species.
    """
    return tuple(_shipped(species))


def shipped_policy(species: str, stage: int | None = None) -> Path:
    """The policy of a stage, by default the last one that ships.

    Raises:
        UserError: no such species, or none ships.
    """
    policies = _shipped(species)
    if not policies:
        raise UserError(f"no policy of '{species}' ships with this version; train one: mesozoic curriculum {species}")
    chosen = max(policies) if stage is None else stage
    if chosen not in policies:
        known = ", ".join(map(str, policies))
        raise UserError(f"no policy of {species} stage {chosen} ships with this version; there are stages {known}")
    return policies[chosen]


def record_of(policy: Path) -> dict[str, Any] | None:
    """What is recorded of the training of a shipped policy; None if nothing is, or it is of another file.

    Raises:
        UserError: the record is damaged.
    """
    record = policy.with_suffix(".json")
    if not POLICY_FILE.fullmatch(policy.name) or not record.is_file():
        return None
    try:
        found = read_json(record)
        return found if isinstance(found, dict) and found.get("sha256") == sha256_of(policy) else None
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(str(record), 120)} is damaged ({cause(error)}); use another copy") from None
