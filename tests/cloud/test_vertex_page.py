"""docs/vertex.md: its commands exist and plan without an account, its prices and estimates are those of the tables."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesozoic.cli.app import app
from mesozoic.cloud.estimate import speeds
from mesozoic.cloud.vertex.machines import read_machine
from mesozoic.species import load_stage

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "vertex.md"
TEXT = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
IMAGE = "us-central1-docker.pkg.dev/my-project/mesozoic/mesozoic:0.1.0-cuda"
PLACE = {"GOOGLE_CLOUD_PROJECT": "my-project"}

pytestmark = pytest.mark.skipif(not TEXT, reason="needs a checkout")


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
    lines = [line.replace("$IMAGE", IMAGE) for block in blocks for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith(("mesozoic vertex", "mesozoic sweep"))})


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")
    ]
    return table[2:]


@pytest.mark.parametrize("line", commands())
def test_every_command_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    known = set(re.findall(r"--[a-z][a-z-]*", result.output))
    assert {word.partition("=")[0] for word in words if re.match(r"--[a-z-]+(=|$)", word)} <= known


@pytest.mark.parametrize("line", [one for one in commands() if "--dry-run" in one])
def test_what_plans_needs_no_account(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("WANDB_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(app, shlex.split(line)[1:], env={**PLACE, "HOME": str(tmp_path)})
    assert result.exit_code == 0, result.output
    assert "dry run" in result.output


def test_there_are_some() -> None:
    assert len([one for one in commands() if "--dry-run" in one]) >= 4


@pytest.mark.parametrize("row", rows("Choosing a machine") if TEXT else [])
def test_a_machine_has_the_price_and_cores_of_the_table(row: list[str]) -> None:
    options, cores, price, _ = row
    words = dict(zip(*[iter(options.strip("`").replace("` (default)", "").split())] * 2, strict=True))
    machine = read_machine(words.get("--machine-type"), words.get("--accelerator"))
    prices: dict[str, Any] = tomllib.loads((ROOT / "mesozoic/cloud/vertex/prices.toml").read_text())
    assert machine.price is not None and f"{machine.price:.2f}" == price
    assert int(cores) == prices["machine"][machine.type]["cores"]
    assert ("(default)" in options) == (machine == read_machine(None, None))


def test_the_page_says_how_old_its_prices_are() -> None:
    prices: dict[str, Any] = tomllib.loads((ROOT / "mesozoic/cloud/vertex/prices.toml").read_text())
    year, month, day = prices["date"].split("-")
    assert prices["region"] in TEXT and f"{int(day)} October {year}" in TEXT and month == "10"


@pytest.mark.parametrize("row", rows("Cost") if TEXT else [])
def test_an_estimate_is_the_budget_by_the_measured_speed(row: list[str]) -> None:
    """Of the two cores that were measured; the page says that no machine of Vertex AI is."""
    species, steps, rates, hours, dollars = row
    measured = next(one for one in speeds(species) if one.physics == "native").steps_per_second
    budgets = {stage: load_stage(species, stage).curriculum.timesteps for stage in measured}
    assert rates == ", ".join(f"{rate:.0f}" for rate in measured.values())
    assert steps == f"{sum(budgets.values()) / 1e6:.0f} M"
    total = sum(budgets[stage] / measured[stage] for stage in measured) / 3600
    price = read_machine("n1-standard-4", None).price
    assert hours == f"{total:.1f}" and price is not None and dollars == f"${total * price:.2f}"
    assert not [one for one in speeds(species) if one.cloud == "vertex"], "a machine is measured now: say so"
