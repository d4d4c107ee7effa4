"""Animals: one folder each, found by a registry. Knows nothing of rewards or learning."""

from mesozoic.species.registry import get_species, species_names
from mesozoic.species.species import Foot, Size, Species, load_species

__all__ = ["Foot", "Size", "Species", "get_species", "load_species", "species_names"]
