"""An installed package reads its own stage files, whatever else lies beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mesozoic
from mesozoic.species.stages import configs_folder

PACKAGE = Path(mesozoic.__file__).parent


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """Where a wheel of this package was unpacked: its stage files lie in it."""
    site = tmp_path / "site-packages"
    shutil.copytree(PACKAGE, site / "mesozoic", ignore=shutil.ignore_patterns("__pycache__", "policies", "_configs"))
    (site / "mesozoic" / "policies").mkdir()
    shutil.copy(PACKAGE / "policies" / "__init__.py", site / "mesozoic" / "policies")
    shutil.copytree(configs_folder(), site / "mesozoic" / "_configs")
    return site


@pytest.mark.parametrize("foreign", [(), ("configs/theirs.toml",), ("configs/velociraptor/stage1_balance.toml",)])
def test_a_configs_folder_of_another_package_is_not_taken_for_ours(
    site_packages: Path, foreign: tuple[str, ...], tmp_path: Path
) -> None:
    for name in foreign:
        (site_packages / name).parent.mkdir(parents=True)
        (site_packages / name).write_text("theirs = true\n")
    code = (
        f"import sys; sys.path.insert(0, {str(site_packages)!r}); import mesozoic.species as s;"
        f" assert s.__file__.startswith({str(site_packages)!r}), s.__file__;"
        " print(s.species_names(), s.load_stage('velociraptor', 1).stage.number)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[-1:] == ["1"] and "trex" in done.stdout, done.stderr
