"""Gymnasium ids of every animal and stage. Cheap: no engine, no model and no stage file is loaded."""

from __future__ import annotations

from mesozoic.errors import UserError
from mesozoic.species import species_names, stage_files
from mesozoic.species.stages import stage_name

ONE_WORLD, MANY_WORLDS = "mesozoic.gym.env:DinosaurEnv", "mesozoic.gym.vector_env:DinosaurVectorEnv"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def env_id(species: str, stage_name: str) -> str:
    """`mesozoic/Velociraptor-Balance-v0` for `velociraptor`, `balance`."""
    return f"mesozoic/{_camel(species)}-{_camel(stage_name)}-v0"


def register_envs() -> None:
    """Register every species and stage that has a stage file; again is harmless.

    An animal whose package is broken has no ids; what is wrong with it is said where it is asked for by name.
    No time limit is registered: the task truncates its own episodes.
    """
    try:
        import gymnasium
    except ImportError:  # a policy is loaded where there is nothing but NumPy
        return
    for species in species_names():
        try:
            files = stage_files(species)
        except (UserError, OSError):
            continue
        for stage, path in files.items():
            name = env_id(species, stage_name(path))
            if name not in gymnasium.registry:
                which = {"species": species, "stage": stage}
                gymnasium.register(name, ONE_WORLD, vector_entry_point=MANY_WORLDS, kwargs=which)
