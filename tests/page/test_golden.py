"""The page computes what Python computes: MuJoCo in WebAssembly, task and policy in TypeScript, against the real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from page.conftest import WEB
from support.golden import write_golden

from mesozoic.policies import shipped_stages
from mesozoic.species import species_names

BUILT_IN = ("velociraptor", "trex", "brachiosaurus")


def compare(node: str, folder: Path, states: int, worlds: int) -> str:
    """Let node hold its own numbers against Python's; returns what it said."""
    for species in BUILT_IN:
        write_golden(folder, species, shipped_stages(species), states, worlds)
    environment = {**os.environ, "GOLDEN": str(folder), "STATES": str(states)}
    done = subprocess.run(
        [node, "test/run.mjs", "golden"], cwd=WEB, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.e2e
def test_states_and_episodes_of_every_shipped_policy_are_those_of_python(node: str, tmp_path: Path) -> None:
    said = compare(node, tmp_path, states=100, worlds=8)
    assert set(BUILT_IN) <= set(species_names())
    assert said.count("worst pose in the first second") == 9


@pytest.mark.slow
def test_outcomes_are_those_of_python_over_64_episodes(node: str, tmp_path: Path) -> None:
    compare(node, tmp_path, states=100, worlds=64)
