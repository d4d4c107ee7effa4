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


SECTIONS = {
    ("jax", "ppo"): ("stage", "env", "ppo", "jax", "curriculum"),
    ("sb3", "ppo"): ("stage", "env", "ppo", "sb3", "curriculum"),
    ("sb3", "sac"): ("stage", "env", "sac", "sb3", "curriculum"),
}
"""Sections that a learner reads; the others decide nothing."""


@dataclass(frozen=True)
class RunSpec:
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
            **{f"{section}.{key}": value for section in self._sections for key, value in config[section].items()},
        }

    @property
    def _sections(self) -> tuple[str, ...]:
        return SECTIONS[self.backend, self.algorithm]

    def check(self, other: dict[str, Any], where: Path) -> None:
        """Refuse to go on with another run's files.

        Raises:
            UserError: naming the first thing that differs.
        """
        mine = self.to_json()
        read = {name for name in other if "." not in name or name.partition(".")[0] in self._sections}
        for name in sorted(mine.keys() | read):
            if mine.get(name) != other.get(name):
                raise UserError(
                    f"{where} holds a run with {name} = {other.get(name)}, now it is {mine.get(name)};"
                    " use another --output-dir, or --no-resume to set the old run aside"
                )
