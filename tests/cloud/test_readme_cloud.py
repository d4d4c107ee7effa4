"""The renting commands of the README and the guide: each exists, and its dry run works without an account."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CATALOGS = Path(__file__).parent / "catalogs"
PAGES = ("README.md", "docs/cloud.md")
PLANNING = ("launch", "cost", "sweep", "check")
"""Subcommands that plan before they ask SkyPilot's server or a cloud."""
STEPS = "".join(file.read_text() for file in (ROOT / "scripts" / "e2e").rglob("*steps.sh"))


def commands(page: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("mesozoic cloud", "sky ", "bash cloud/"))]


ALL = sorted({line for page in PAGES for line in commands(page)})


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home with test prices, no account, and one that looks as if it had a key for Weights & Biases."""
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(CATALOGS, home / ".sky" / "catalogs" / "v8", ignore=shutil.ignore_patterns("*.md"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_", "WANDB_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**kept, "HOME": str(home), "PATH": path, "WANDB_API_KEY": "0" * 40}


def test_there_are_some() -> None:
    assert len(ALL) > 15


@pytest.mark.parametrize("line", [line for line in ALL if line.startswith("mesozoic cloud")])
def test_every_command_exists_with_its_options(line: str) -> None:
    """Typed up to its `--help`, so that unknown subcommands and options are refused and nothing else happens."""
    from typer.testing import CliRunner

    from mesozoic.cli.cloud_command import app

    words = shlex.split(line)[2:]
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    known = set(re.findall(r"--[a-z][a-z-]*", result.output))
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [one for one in ALL if one.split()[2] in PLANNING or one.startswith("bash")])
def test_plans_without_an_account(line: str, environment: dict[str, str]) -> None:
    words = shlex.split(line)
    if "check" in words:
        words.append("--offline")
    elif "cost" not in words and "--dry-run" not in words:
        words.append("--dry-run")
    if "--spent" in words:
        pytest.skip("asks SkyPilot's books")
    if "bash" in words or "sweep" in words:
        pytest.importorskip("wandb", reason="needs the extra [sweep]")
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == (1 if "check" in words else 0), done.stdout + done.stderr
    assert ("not set up" if "check" in words else "$") in done.stdout


@pytest.mark.parametrize("line", [line for line in commands("README.md") if line.startswith("sky ")])
def test_skypilots_own_command_is_run_end_to_end(line: str) -> None:
    """By scripts/e2e_cloud.sh (test_e2e_cloud.py), with a name and a small budget added."""
    command = shlex.split(line)
    assert command[:2] == ["sky", "launch"] and re.search(rf"sky launch .*{re.escape(' '.join(command[2:]))}", STEPS)
