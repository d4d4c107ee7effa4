"""What is installed is what was tested: bounds on both sides, pins for the scripts, and a way to try what is newer."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "newest_requirements.py"
INSTALLERS = [
    *(ROOT / "scripts").rglob("*.sh"),
    *(ROOT / "cloud").glob("*.sh"),
    ROOT / "Dockerfile",
    ROOT / ".ci" / "run",
]

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="needs a checkout")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    found = project()["project"]
    extras = [one for extra in found["optional-dependencies"].values() for one in extra]
    return [Requirement(one) for one in [*found["dependencies"], *extras, *project()["build-system"]["requires"]]]


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {one.name: one for one in (Requirement(line) for line in lines if not line.startswith("#"))}


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_dependency_has_a_lowest_version_and_one_that_was_not_tried(requirement: Requirement) -> None:
    operators = {one.operator for one in requirement.specifier}
    assert ">=" in operators or requirement.name == "hatchling"
    assert "<" in operators, "the next major version may break it; cap it"


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_tested_version_is_one_that_is_allowed(requirement: Requirement) -> None:
    pinned = constraints().get(requirement.name)
    if pinned is None:
        assert requirement.name == "hatchling", "pin it in constraints.txt"
        return
    (exact,) = pinned.specifier
    assert requirement.specifier.contains(exact.version, prereleases=True)


@pytest.mark.parametrize("path", INSTALLERS, ids=lambda path: path.name)
def test_scripts_install_tested_versions(path: Path) -> None:
    """Every `pip install` keeps to the constraints, or installs nothing but mesozoic itself."""
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "echo")))
    for line in re.findall(r"pip\"? .*?install .*", code):
        assert "constraints.txt" in line or re.search(r"--no-deps (-e )?\.$", line), line
    for line in re.findall(r"curl .*install.*", code):
        assert "$uv_installer" in line, "name a version in the address"


def test_the_installer_of_uv_has_the_tested_version() -> None:
    script = (ROOT / "cloud" / "node-setup.sh").read_text(encoding="utf-8")
    assert 'uv_installer="https://astral.sh/uv/$uv_version/install.sh"' in script
    assert "uv" in constraints()


def newest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(SCRIPT), *arguments[:1], str(folder), *arguments[1:]]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


def test_trying_the_newest_takes_every_upper_bound_away(tmp_path: Path) -> None:
    assert newest(tmp_path, "viz,dev,cuda").returncode == 0
    asked = [Requirement(line) for line in (tmp_path / "requirements.txt").read_text().splitlines()]
    assert {"mujoco", "jax", "pillow", "mujoco-mjx"} <= {one.name for one in asked}
    assert all("<" not in str(one.specifier) and ">=" in str(one.specifier) for one in asked)
    assert any(one.extras == {"warp"} for one in asked if one.name == "mujoco-mjx")
    assert (tmp_path / "constraints.txt").read_text().strip() == ""


def test_trying_the_newest_of_one_keeps_the_others(tmp_path: Path) -> None:
    assert newest(tmp_path, "viz", "mujoco").returncode == 0
    asked = (tmp_path / "requirements.txt").read_text().splitlines()
    assert "mujoco>=3.14" in asked and any(line.startswith("jax>=") and "<" in line for line in asked)
    kept = (tmp_path / "constraints.txt").read_text()
    assert "jax==" in kept and "mujoco==" not in kept


@pytest.mark.parametrize("arguments", [("vix",), ("viz", "numpie")])
def test_what_does_not_exist_cannot_be_tried(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = newest(tmp_path, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and done.stderr.startswith("error: ")


def test_ci_runs_what_a_user_runs() -> None:
    """The e2e tests that need no root are part of .ci/run."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"pytest .*-m \"[^\"]*e2e[^\"]*not root", script)


def test_what_the_default_set_up_skips_is_run_with_its_extra() -> None:
    """A test that needs an extra is skipped by `scripts/test.sh`; `.ci/run` installs it, and runs the file again."""
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first, second = (set(found.split(",")) for found in _installed(text))
    again = re.findall(r"tests/[\w./]+", text)
    wanting = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        code = path.read_text(encoding="utf-8")
        if extras := set(re.findall(r"needs the extra \[(\w+)\]", code)) - first - {"mjx", "export"}:  # dev has both
            assert extras <= second, f"{path}: .ci/run installs no {extras}"
            wanting[path.relative_to(ROOT).as_posix()] = "mark.e2e" in code or "mark.slow" in code
    assert len(wanting) > 10
    assert [name for name, later in wanting.items() if not later and not name.startswith(tuple(again))] == []


def _installed(text: str) -> tuple[str, str]:
    default = re.search(r"setup\.sh ([\w,]+)", (ROOT / "scripts" / "test.sh").read_text(encoding="utf-8"))
    more = re.search(r"setup\.sh ([\w,]+)", text)
    assert default and more
    return default[1], more[1]


def test_commands_load_no_package_of_an_extra() -> None:
    """`mesozoic --help` and every command's table of options come without what rents or reports."""
    heavy = ("google.auth", "google.cloud.aiplatform", "google.cloud.storage", "hypertune", "gcsfs", "sky", "wandb")
    code = f"import sys, mesozoic.cli.app; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
