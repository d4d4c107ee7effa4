"""The example animal, installed as a package of its own, is checked, trained, evaluated, rendered and made by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.animal_package import EXAMPLE, install_example

SMALL = [
    *("--seed", "0", "--n-envs", "32", "--timesteps", "2048", "--eval-freq", "2048", "ppo.n_steps=16"),
    *("ppo.batch_size=128", "env.max_episode_steps=40", "curriculum.min_avg_episode_length=0"),
    *("curriculum.eval_episodes=8", "curriculum.min_success=0", "curriculum.min_success_low=0"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_example(tmp_path_factory.mktemp("site"))


def python(site: Path, *arguments: str, cwd: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    result = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short curriculum of both its stages."""
    folder = tmp_path_factory.mktemp("run")
    python(site, "-m", "mesozoic", "curriculum", "stepper", *SMALL, "--output-dir", str(folder))
    return folder


def test_it_passes_every_check(site: Path) -> None:
    printed = python(site, "-m", "mesozoic", "species", "check", str(site / "mesozoic_stepper" / "stepper"))
    assert "FAIL" not in printed
    assert "stages are there: stage1_balance.toml, stage2_locomotion.toml" in printed


def test_it_is_listed(site: Path) -> None:
    rows = json.loads(python(site, "-m", "mesozoic", "species", "--json"))
    assert rows[-1]["name"] == "stepper" and rows[-1]["stages"] == ["stage1_balance", "stage2_locomotion"]


@pytest.mark.e2e
def test_both_of_its_stages_are_trained(run: Path) -> None:
    for number in (1, 2):
        metrics = json.loads((run / f"stage{number}" / "metrics.json").read_text())
        assert metrics["timesteps"] >= 2048
        assert (run / f"stage{number}" / "models" / f"stage{number}_final.zip").is_file()
    assert not (run / "stage3").exists()


@pytest.mark.e2e
def test_its_policy_is_evaluated_and_drawn(site: Path, run: Path, tmp_path: Path) -> None:
    figures = json.loads(python(site, "-m", "mesozoic", "eval", str(run), "--episodes", "8", "--json"))
    assert figures["species"] == "stepper" and figures["stage"] == 2
    strip = tmp_path / "stepper.png"
    python(site, "-m", "mesozoic", "render", str(run), "--stage", "1", "--no-video", "--strip", str(strip))
    assert strip.read_bytes().startswith(b"\x89PNG")


@pytest.mark.e2e
def test_a_policy_in_its_folder_is_found_by_name(site: Path, run: Path, tmp_path: Path) -> None:
    shipping = tmp_path / "site"
    shutil.copytree(site, shipping)
    policies = shipping / "mesozoic_stepper" / "stepper" / "policies"
    policies.mkdir()
    shutil.copy(run / "stage1" / "models" / "stage1_final.zip", policies / "stage1.zip")
    figures = json.loads(
        python(shipping, "-m", "mesozoic", "eval", "stepper", "--episodes", "8", "--json", cwd=tmp_path)
    )
    assert figures["stage"] == 1
    python(shipping, "-m", "mesozoic", "render", "stepper", "--no-video", cwd=tmp_path)
    assert [path.name for path in policies.iterdir()] == ["stage1.zip"]  # nothing is written into an installed package
    assert (tmp_path / "stepper-stage1.png").is_file()


def test_gymnasium_makes_it(site: Path) -> None:
    program = (
        "import gymnasium, mesozoic\n"
        "print([name for name in gymnasium.registry if 'Stepper' in name])\n"
        "env = gymnasium.make('mesozoic/Stepper-Locomotion-v0')\n"
        "env.reset(seed=0)\n"
        "print(env.step(env.action_space.sample())[0].shape)\n"
    )
    assert python(site, "-c", program).splitlines() == [
        "['mesozoic/Stepper-Balance-v0', 'mesozoic/Stepper-Locomotion-v0']",
        "(51,)",
    ]


def test_its_own_page_names_what_is_there() -> None:
    text = (EXAMPLE / "README.md").read_text()
    for path in ("pyproject.toml", "mesozoic_stepper/__init__.py", "mesozoic_stepper/stepper/facts.toml"):
        assert path in text and (EXAMPLE / path).is_file()
