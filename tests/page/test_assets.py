"""The page that ships is the one that its sources make."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

from mesozoic.page.html import ASSETS, MUJOCO, PLAYER
from mesozoic.species.simulator import mujoco

WEB = Path(__file__).parents[2] / "web"
LOCK = (WEB / "package-lock.json").read_text(encoding="utf-8")


def test_what_ships_is_built_from_the_sources_byte_for_byte(node: str, tmp_path: Path) -> None:
    subprocess.run([node, "build.mjs", str(tmp_path)], cwd=WEB, check=True, timeout=120)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in ASSETS.iterdir()}
    for path in tmp_path.iterdir():
        ours, theirs = path.read_bytes(), (ASSETS / path.name).read_bytes()
        if path.suffix == ".gz":  # how tightly it is packed depends on the zlib of this node
            ours, theirs = gzip.decompress(ours), gzip.decompress(theirs)
        assert ours == theirs, f"{path.name} is not what web/ makes; run bash scripts/build_page.sh and commit it"


def test_the_types_of_the_sources_are_right(node: str) -> None:
    done = subprocess.run(
        [node, "node_modules/typescript/bin/tsc", "-p", "."], cwd=WEB, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout


def test_python_and_the_page_have_one_mujoco() -> None:
    declared = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["dependencies"]["@mujoco/mujoco"]
    locked = json.loads(LOCK)["packages"]["node_modules/@mujoco/mujoco"]["version"]
    assert declared == locked == mujoco.__version__


def test_the_lockfile_names_no_registry() -> None:
    """Whoever installs it uses the registry that is set up there."""
    packages = json.loads(LOCK)["packages"].values()
    assert len(packages) > 10
    assert [part for part in packages if "resolved" in part] == []


def test_the_page_can_ask_for_nothing() -> None:
    page = (ASSETS / PLAYER).read_text(encoding="utf-8")
    assert "default-src 'none'" in page and "connect-src 'none'" in page
    assert (ASSETS / MUJOCO).stat().st_size < 1_500_000
