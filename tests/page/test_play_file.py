"""`mesozoic play --html` writes a page that carries all it needs, without JAX and without OpenGL."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FORBIDDEN = ("jax", "flax", "torch", "OpenGL", "stable_baselines3", "imageio", "matplotlib")
LARGEST = 4_000_000


def parcel_in(page: Path) -> dict[str, Any]:
    """What a page was given."""
    found = re.search(r'<script type="text/plain" id="parcel">([^<]+)<', page.read_text(encoding="utf-8"))
    assert found
    parcel: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return parcel


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that the command wrote in a process of its own, which was asked what it had loaded."""
    path = tmp_path_factory.mktemp("page") / "trex.html"
    program = (
        "import sys\n"
        f"sys.argv = ['mesozoic', 'play', 'trex', '--stage', '3', '--seed', '4', '--html', {str(path)!r}]\n"
        "from mesozoic.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        f"print('loaded:', [name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert "loaded: []" in done.stdout, done.stdout
    return path


def test_it_is_small_and_has_all_animals(page: Path) -> None:
    assert page.stat().st_size < LARGEST
    parcel = parcel_in(page)
    stages = {animal["name"]: [stage["number"] for stage in animal["stages"]] for animal in parcel["animals"]}
    assert stages == {name: [1, 2, 3] for name in ("trex", "velociraptor", "brachiosaurus")}
    assert parcel["start"] == {"animal": "trex", "stage": 3, "seed": 4, "episode": 0}


def test_nothing_is_left_to_fill_in(page: Path) -> None:
    assert not re.search(r"\{\{(mujoco|parcel|script|style|licences)\}\}", page.read_text(encoding="utf-8"))
