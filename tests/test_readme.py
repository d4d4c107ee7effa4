"""Every command of the README runs. Training commands get a small budget; nothing else is changed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = ("bash scripts/quickstart.sh", "bash scripts/test.sh", "bash .ci/run", "pip install")
"""These install and train for minutes; the quickstart has a test of its own, marked slow."""

TINY = (
    "--timesteps 512 --n-envs 8 ppo.n_steps=32 ppo.batch_size=128 env.max_episode_steps=50"
    " curriculum.eval_episodes=8 curriculum.min_success_low=0.1 curriculum.min_avg_episode_length=0"
)
SB3 = "--backend sb3"
LIBRARY = "stable_baselines3"
RENTING = ("mesozoic cloud", "sky launch", "bash cloud/")
"""These rent: tests/cloud/test_readme_cloud.py."""
SMALL = {"train": TINY, "curriculum": TINY, "bench": "--seconds 0.1 --rounds 1", "sweep": "--dry-run"}
"""What makes a command quick here; a sweep that is launched in earnest is in tests/sweep/test_local.py."""


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def python_examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_readme_is_short() -> None:
    assert len(README.splitlines()) < 250


def test_files_that_it_names_exist() -> None:
    root = Path(__file__).parents[1]
    named = set(re.findall(r"`((?:mesozoic|configs|cloud|scripts|docs|examples)/[\w./-]+\.\w+)`", README))
    named |= set(re.findall(r"\]\(((?!http)[\w./-]+)\)", README))
    assert len(named) > 8
    assert [name for name in sorted(named) if not (root / name).exists()] == []


def run_all(chosen: list[str], examples: list[str], folder: Path) -> None:
    """In order, in one folder, as a reader would type them; examples load what a command has trained."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in chosen:
        words = shlex.split(command)
        assert words[0] == "mesozoic", command
        words += SMALL.get(words[1], "").split() if "--help" not in words else []
        result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        # A policy trained this little passes no gate.
        expected = (0, 1) if {"--check", "--strict"} & set(words) else (0,)
        assert result.returncode in expected, f"{command}\n{result.stderr}"
    for example in examples:
        subprocess.run([sys.executable, "-c", example], cwd=folder, check=True, timeout=120)


def test_every_command_runs(tmp_path: Path) -> None:
    chosen = [one for one in commands() if not one.startswith((*SCRIPTS, *RENTING)) and SB3 not in one]
    examples = [one for one in python_examples() if LIBRARY not in one]
    assert len(chosen) >= 10 and len(examples) == 2
    run_all(chosen, examples, tmp_path)
    assert (tmp_path / "raptor.mp4").stat().st_size > 0


@pytest.mark.skipif(find_spec(LIBRARY) is None, reason="needs the extra [sb3]")
def test_every_command_of_stable_baselines_runs(tmp_path: Path) -> None:
    chosen = [one for one in commands() if SB3 in one]
    examples = [one for one in python_examples() if LIBRARY in one]
    assert len(chosen) == 2 and len(examples) == 1
    run_all(chosen, examples, tmp_path)


@pytest.mark.slow
def test_quickstart(tmp_path: Path) -> None:
    """The quickstart's training passes its gate; later seeds likewise."""
    for seed in (0, 1, 2):
        run = tmp_path / f"seed{seed}"
        train = [
            sys.executable,
            "-m",
            "mesozoic",
            "train",
            "velociraptor",
            "--seed",
            str(seed),
            "--output-dir",
            str(run),
        ]
        subprocess.run(train, check=True, timeout=1800)
        subprocess.run([sys.executable, "-m", "mesozoic", "eval", str(run), "--check"], check=True, timeout=300)


def test_an_example_that_unpickles_says_so_before() -> None:
    for before, example in re.findall(r"((?:[^\n]+\n)+)\n```python\n(.*?)```", README, flags=re.DOTALL):
        if re.search(r"\b(PPO|SAC|VecNormalize)\.load\(", example):
            assert "unpickle" in before and "stranger" in before
            break
    else:
        pytest.fail("no example")
