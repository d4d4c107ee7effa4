"""An example of an animal in a package of its own: a made-up biped of simple shapes, with two stages.

This module imports nothing of mesozoic, which asks for FOLDER while it is being imported itself.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "stepper"
"""What the entry point in pyproject.toml names: the folder with facts.toml, model.xml and configs/."""
