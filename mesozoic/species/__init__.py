"""Animals: one folder each, found by a registry, with their stages. Knows nothing of rewards or learning."""

from mesozoic.species.registry import get_species, species_names
from mesozoic.species.species import Foot, Size, Species, load_species
from mesozoic.species.stages import load_stage, stage_files

__all__ = ["Foot", "Size", "Species", "get_species", "load_species", "load_stage", "species_names", "stage_files"]
