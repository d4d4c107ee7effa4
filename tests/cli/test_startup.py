"""The command line answers at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("jax", "mujoco", "torch", "wandb", "pydantic", "sky", "optuna")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['mesozoic', '--help']\n"
        "from mesozoic.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage: mesozoic" in result.stdout
    assert "loaded: []" in result.stdout


def test_every_command_has_help() -> None:
    for command in (
        "train",
        "play",
        "watch",
        "curriculum",
        "eval",
        "robustness",
        "render",
        "export",
        "plot",
        "report",
        "species",
        "bench",
    ):
        result = subprocess.run([sys.executable, "-m", "mesozoic", command, "--help"], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert "--help" in result.stdout


def test_module_errors_go_to_stderr_with_code_2() -> None:
    result = subprocess.run([sys.executable, "-m", "mesozoic", "train", "velocirapter"], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error: unknown species")
    assert result.stdout == ""
