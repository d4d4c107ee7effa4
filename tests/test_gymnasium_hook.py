"""The Gymnasium ids are there whichever package is imported first, and cost nothing until then."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAKE = "; assert 'mesozoic/Velociraptor-Balance-v0' in gymnasium.registry"


@pytest.mark.parametrize(
    "imports",
    [
        "import gymnasium; import mesozoic",
        "import mesozoic; import gymnasium",
        "import mesozoic; import gymnasium.wrappers; import gymnasium",
        "import gymnasium; import importlib; importlib.import_module('mesozoic')",
        "import mesozoic.sim.gym_env; import gymnasium",
    ],
)
def test_any_order(imports: str) -> None:
    subprocess.run([sys.executable, "-c", imports + MAKE], check=True, timeout=60)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("gymnasium", "jax", "mujoco", "numpy", "pydantic")
    program = f"import sys, mesozoic; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
