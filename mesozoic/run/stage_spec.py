"""One stage as it is trained, checked and resolved: everything that decides the result, and where it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from mesozoic.config import StageConfig
from mesozoic.config.override import SECTIONS, section_keys
from mesozoic.errors import UserError, shown
from mesozoic.files import sha256_of
from mesozoic.learn.kinds import LearnerKind

IRRELEVANT = ("curriculum.save_freq",)
"""Keys that do not change what is learned."""

BUDGET = "curriculum.timesteps"
"""A run that its budget has ended may go on with a larger one."""

LATER_KEYS = {"physics": "native", "load": None}
"""Facts that were not always recorded, and what held when they were not."""


@dataclass(frozen=True)
class StageSpec:
    """Species, seed, learner, starting policy and resolved configuration of a stage.

    `problems.resolve` makes them of a `RunSpec`.

    Attributes:
        gpu_ids: the devices, see `learn/gpu_ids.py`. They decide last bits only, so a run may go on on others.
    """

    species: str
    seed: int
    kind: LearnerKind
    config: StageConfig
    load: Path | None = None
    physics: str = "native"
    gpu_ids: str = ""

    def to_json(self) -> dict[str, Any]:
        """What run folders record under `identity`."""
        config = self.config.model_dump(mode="json")
        loaded = None if self.load is None else sha256_of(self.load)
        return {
            "species": self.species,
            "seed": self.seed,
            "backend": self.kind.backend,
            "algorithm": self.kind.algorithm,
            "physics": self.physics,
            "load": loaded,
            **{
                f"{section}.{key}": value
                for section in self.kind.sections
                for key, value in config[section].items()
                if f"{section}.{key}" not in IRRELEVANT
            },
        }

    def differences(self, recorded: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """What a recorded run was trained with otherwise: name -> (then, now).

        A key that the run does not know has its default in it. Keys of sections that this learner does not read
        decide nothing.
        """
        mine = self.to_json()
        then = {name: value for name, value in recorded.items() if self._decides(name)}
        for name in mine.keys() - then.keys():
            then[name] = _default(name)
        return {
            name: (then[name], mine.get(name))
            for name in sorted(mine.keys() | then.keys())
            if name not in mine or then[name] != mine[name]
        }

    def _decides(self, name: str) -> bool:
        section, dot, _ = name.partition(".")
        return name not in IRRELEVANT and (not dot or section in self.kind.sections)

    def extends(self, recorded: Mapping[str, Any]) -> bool:
        """Whether this is a recorded run with a larger budget, and nothing else differs."""
        found = self.differences(recorded)
        then, now = found.get(BUDGET, (None, None))
        return list(found) == [BUDGET] and isinstance(then, int) and then < now

    def check(self, recorded: Mapping[str, Any], where: Path) -> None:
        """Refuse to go on with another run's files.

        Raises:
            UserError: naming the first thing that differs.
        """
        for name, (then, now) in self.differences(recorded).items():
            more = len(self.differences(recorded)) - 1
            others = f" (and {more} more)" if more else ""
            raise UserError(
                f"{where} holds a run with {name} = {shown(str(then))}, now it is {shown(str(now))}{others};"
                " use another --output-dir, or --no-resume to set the old run aside"
            )


def _default(name: str) -> Any:
    """The value in JSON of a fact in a run that does not know it; None if there is no default."""
    section, dot, key = name.partition(".")
    if not dot:
        return LATER_KEYS.get(name)
    if section not in SECTIONS or key not in section_keys(section):
        return None
    model = StageConfig.model_fields[section].annotation
    assert model is not None
    field = model.model_fields[key]
    if field.default is PydanticUndefined:
        return None
    default = field.default
    return list(default) if isinstance(default, tuple) else default
