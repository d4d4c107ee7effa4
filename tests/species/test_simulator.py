"""What draws nothing works whatever OpenGL there is, and all take MuJoCo from the one module that sees to it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mesozoic

PACKAGE = Path(mesozoic.__file__).parent
TINY = (
    *("ppo.n_steps=8", "ppo.batch_size=32", "env.max_episode_steps=20", "curriculum.eval_episodes=8"),
    *("curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0", "curriculum.eval_freq=64"),
)
EVAL = ("eval", "trex", "--stage", "1", "--episodes", "4")
TRAIN = ("train", "--n-envs", "8", "--timesteps", "64", *TINY, "--output-dir", "run")


@pytest.fixture
def without_opengl(tmp_path: Path) -> dict[str, str]:
    """An environment in which PyOpenGL fails as it does where a library is missing."""
    broken = tmp_path / "path" / "OpenGL"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("None.glGetError")
    path = os.pathsep.join([str(broken.parent), str(PACKAGE.parent)])
    return {**os.environ, "PYTHONPATH": path, "MUJOCO_GL": "osmesa"}


@pytest.mark.parametrize("words", [EVAL, pytest.param(TRAIN, marks=pytest.mark.e2e)], ids=["eval", "train"])
def test_commands_that_draw_nothing_need_no_opengl(
    words: tuple[str, ...], without_opengl: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "mesozoic", *words]
    done = subprocess.run(command, env=without_opengl, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_draws_says_in_one_sentence_why_it_cannot(without_opengl: dict[str, str], tmp_path: Path) -> None:
    words = ["render", "trex", "--stage", "1", "--no-video", "--strip", "strip.png"]
    command = [sys.executable, "-m", "mesozoic", *words]
    done = subprocess.run(command, env=without_opengl, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr.startswith("error: MUJOCO_GL=osmesa does not work here (") and done.stderr.count("\n") == 1
    assert not (tmp_path / "strip.png").exists()


def test_the_environment_is_left_as_it_was(without_opengl: dict[str, str]) -> None:
    code = (
        "import os; before = dict(os.environ); import mesozoic.sim.native, mujoco; assert mujoco.MjModel;"
        " assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", code], env=without_opengl, check=True, timeout=60)


def test_a_value_that_means_nothing_hinders_only_drawing() -> None:
    code = "import mesozoic.sim.native, mujoco; assert mujoco.MjModel"
    environment = {**os.environ, "MUJOCO_GL": "nonsense", "PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_else_imports_it(path: Path) -> None:
    if path.name == "simulator.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        assert "mujoco" not in names, f"{path}: take it from mesozoic.species.simulator"
