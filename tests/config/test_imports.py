"""Starting up stays cheap: what an import may pull in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mesozoic

ROOT = Path(mesozoic.__file__).parents[1]
HEAVY = ("jax", "mujoco", "mjbatch", "torch")


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import mesozoic", (*HEAVY, "pydantic")),
        ("import mesozoic.config", HEAVY),
        ("import mesozoic.species", (*HEAVY, "pydantic")),
        ("import mesozoic.sim", (*HEAVY, "pydantic")),
        ("import mesozoic.gym.registration", HEAVY),
        ("import mesozoic.sim.batch_env", ("jax", "torch")),
    ],
)
def test_an_import_pulls_in_nothing_heavy(statement: str, forbidden: tuple[str, ...]) -> None:
    code = f"{statement}; import sys; print(*(set(sys.modules) & {set(forbidden)!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
