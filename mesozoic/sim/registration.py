"""Gymnasium ids of every animal and stage. Cheap: no engine and no model is loaded."""

from __future__ import annotations

from mesozoic.config import stage_files
from mesozoic.errors import UserError
from mesozoic.species import species_names

ENTRY_POINT = "mesozoic.sim.gym_env:DinosaurEnv"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def env_id(species: str, stage_name: str) -> str:
    """`mesozoic/Velociraptor-Balance-v0` for `velociraptor`, `balance`."""
    return f"mesozoic/{_camel(species)}-{_camel(stage_name)}-v0"


def register_envs() -> None:
    """Register every species and stage that has a stage file; again is harmless.

    No time limit is registered: the task truncates its own episodes.
    """
    import gymnasium  # here, because importing it is what calls this function

    for species in species_names():
        try:
            files = stage_files(species)
        except UserError:
            continue  # an animal without stage files
        for stage, path in files.items():
            name = env_id(species, path.stem.partition("_")[2])
            if name not in gymnasium.registry:
                gymnasium.register(name, ENTRY_POINT, kwargs={"species": species, "stage": stage})
