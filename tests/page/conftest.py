"""Node and a browser for the tests of the page, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
INSTALLING = 120.0
"""Seconds in which npm has installed what web/package-lock.json names, or a registry does not answer here."""


@pytest.fixture(scope="session")
def node() -> str:
    """The `node` with which web/ can be built: its packages are installed."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("needs node and npm")
    if not (WEB / "node_modules" / ".package-lock.json").is_file():
        try:
            done = subprocess.run(
                [npm, "ci", "--no-audit", "--no-fund"], cwd=WEB, capture_output=True, text=True, timeout=INSTALLING
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install the packages of web/ within {INSTALLING:.0f} s")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install the packages of web/ here: {done.stderr.strip()[-200:]}")
    return found


@pytest.fixture(scope="session")
def browser(node: str) -> str:
    """The `node` that can drive a browser."""
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"needs Chromium, at {CHROMIUM} or where CHROMIUM says")
    return node
