"""Where PyTorch and Stable-Baselines3 are not installed: one sentence for who asks for them, no change for others."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HIDE = """
    import sys

    class Hidden:
        '''A finder that does not find PyTorch and Stable-Baselines3; otherwise the one it stands for.'''

        def __init__(self, finder):
            self._finder = finder

        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("torch", "stable_baselines3"):
                return None
            return self._finder.find_spec(name, path, target)

        def __getattr__(self, name):
            return getattr(self._finder, name)

    sys.meta_path[:] = [Hidden(finder) if hasattr(finder, "find_spec") else finder for finder in sys.meta_path]
"""

COMMAND_LINE = """
    from mesozoic.cli.app import main
    sys.argv[0] = "mesozoic"
    main()
"""

EVERYTHING = """
    import importlib, pkgutil
    import mesozoic

    def modules(package):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            if module.name not in ("mesozoic.__main__", "mesozoic.learn.sb3"):
                found = importlib.import_module(module.name)
                yield module.name
                if module.ispkg:
                    yield from modules(found)

    names = list(modules(mesozoic))
    assert {"mesozoic.learn.kinds", "mesozoic.learn.ppo.learner", "mesozoic.run.train_stage"} <= set(names), names
    loaded = [name for name in sys.modules if name.partition(".")[0] in ("torch", "stable_baselines3")]
    assert not loaded, loaded
"""


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_training_with_it_is_refused_in_one_sentence(tmp_path: Path, algorithm: str) -> None:
    run = tmp_path / "run"
    options = ("--backend", "sb3", "--algorithm", algorithm, "--output-dir", str(run))
    result = python(textwrap.dedent(HIDE) + textwrap.dedent(COMMAND_LINE), "train", "velociraptor", *options)
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: backend 'sb3' needs") and "pip install 'mesozoic[sb3]'" in line
    assert result.stdout == "" and not run.exists()


@pytest.mark.parametrize("hidden", [True, False])
def test_nothing_else_imports_them(hidden: bool) -> None:
    script = "import sys\n" + (textwrap.dedent(HIDE) if hidden else "") + textwrap.dedent(EVERYTHING)
    result = python(script)
    assert result.returncode == 0, result.stderr


def test_sac_without_a_backend_asks_for_sb3(tmp_path: Path) -> None:
    script = textwrap.dedent(HIDE) + textwrap.dedent(COMMAND_LINE)
    result = python(script, "train", "velociraptor", "--algorithm", "sac", "--output-dir", str(tmp_path / "run"))
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "backend 'sb3' needs" in result.stderr and not (tmp_path / "run").exists()
