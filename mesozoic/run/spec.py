"""What somebody wants trained, as it was typed: nothing in it is checked yet, and all of it is JSON.

`run/problems.py` says what is wrong with it, and turns it into one `StageSpec` for each stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, did_you_mean, shown, written

DEFAULT_SPECIES = "velociraptor"


@dataclass(frozen=True)
class RunSpec:
    """A training of one stage, or of a whole curriculum.

    Attributes:
        stage: the one to train; None: all of them, one after the other.
        target: the last one of a curriculum; None: to the end.
        backend, algorithm: the learner, `learn/kinds.py` has them all.
        physics: the engine that simulates; what `auto` becomes, `run/auto_physics.py` says.
        gpu_ids: devices that simulate: `all`, or numbers such as `0,1`; empty: the first one.
        overrides: texts such as `ppo.gamma=0.99` and `2.ppo.gamma=0.99`; later ones win.
        load: policy file or run folder that the first stage begins from.
    """

    species: str = DEFAULT_SPECIES
    stage: int | None = None
    target: int | None = None
    seed: int = 0
    backend: str = "auto"
    algorithm: str = "ppo"
    physics: str = "native"
    gpu_ids: str = ""
    overrides: tuple[str, ...] = ()
    load: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values by field name."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "overrides": list(self.overrides),
            "load": None if self.load is None else str(self.load),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> RunSpec:
        """Read back what `to_json` wrote; a key that is missing has its default.

        Raises:
            UserError: a key is unknown, or its value is not of its type.
        """
        types = {"species": str, "stage": int, "target": int, "seed": int, "backend": str, "algorithm": str}
        types |= {"physics": str, "gpu_ids": str, "overrides": list, "load": str}
        values: dict[str, Any] = {}
        for name, value in raw.items():
            if name not in types:
                near = did_you_mean(str(name), types) or ";"
                raise UserError(f"a training has no '{shown(name)}'{near} it has: {', '.join(types)}")
            optional = name in ("stage", "target", "load")
            if not (value is None and optional) and type(value) is not types[name]:
                raise UserError(
                    f"{name} of a training is {shown(written(value))}; give a value of type {types[name].__name__}"
                )
            values[name] = value
        for text in values.get("overrides", []):
            if not isinstance(text, str):
                raise UserError(f"override {shown(written(text))} is no text; write for example 'ppo.gamma=0.99'")
        if "overrides" in values:
            values["overrides"] = tuple(values["overrides"])
        if values.get("load") is not None:
            values["load"] = Path(values["load"])
        return cls(**values)
