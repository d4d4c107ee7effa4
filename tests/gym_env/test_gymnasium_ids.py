"""The Gymnasium ids are there whichever package is imported first, and nothing is hooked into Python's imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAKE = "; env = gymnasium.make('mesozoic/Velociraptor-Balance-v0'); env.reset(seed=0); env.close()"


@pytest.mark.parametrize(
    "imports",
    [
        "import gymnasium; import mesozoic",
        "import mesozoic; import gymnasium",
        "import mesozoic; import importlib.util; importlib.util.find_spec('gymnasium'); import gymnasium",
        "import mesozoic; import gymnasium.wrappers; import gymnasium",
        "import gymnasium; import importlib; importlib.import_module('mesozoic')",
        "import mesozoic.gym.env; import gymnasium",
    ],
)
def test_any_order(imports: str) -> None:
    subprocess.run([sys.executable, "-c", imports + MAKE], check=True, timeout=60)


def test_gymnasium_imports_the_package_that_an_id_names() -> None:
    program = "import gymnasium; gymnasium.make('mesozoic:mesozoic/Trex-Bite-v0')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_importing_the_package_changes_no_import_and_loads_no_engine_or_learner() -> None:
    heavy = ("jax", "mujoco", "mjbatch", "torch", "pydantic", "typer", "rich")
    program = (
        "import sys, gymnasium; before = list(sys.meta_path); import mesozoic;"
        f" print(sys.meta_path == before, [name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "True []"
