"""What makes two runs the same run: everything that decides the result, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.config import StageConfig
from mesozoic.errors import UserError

IRRELEVANT = (("curriculum", "save_freq"),)
"""Keys that do not change what is learned."""


@dataclass(frozen=True)
class Identity:
    """Species, seed, learner, starting policy and resolved configuration of a stage."""

    species: str
    seed: int
    backend: str
    algorithm: str
    config: StageConfig
    load: Path | None = None

    def to_json(self) -> dict[str, Any]:
        config = self.config.model_dump(mode="json")
        for section, key in IRRELEVANT:
            del config[section][key]
        loaded = None if self.load is None else hashlib.sha256(self.load.read_bytes()).hexdigest()
        return {
            "species": self.species,
            "seed": self.seed,
            "backend": self.backend,
            "algorithm": self.algorithm,
            "load": loaded,
            **{f"{section}.{key}": value for section, table in config.items() for key, value in table.items()},
        }

    def check(self, other: dict[str, Any], where: Path) -> None:
        """Refuse to go on with another run's files.

        Raises:
            UserError: naming the first thing that differs.
        """
        mine = self.to_json()
        for name in sorted(mine.keys() | other.keys()):
            if mine.get(name) != other.get(name):
                raise UserError(
                    f"{where} holds a run with {name} = {other.get(name)}, now it is {mine.get(name)};"
                    " use another --output-dir, or --no-resume to set the old run aside"
                )
