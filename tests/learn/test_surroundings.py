"""Surroundings in which a learner does not start are named in one sentence, before anything is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mesozoic
from mesozoic.learn import surroundings
from mesozoic.learn.surroundings import jax_problem

ROOT = Path(mesozoic.__file__).parents[1]
TINY = (
    *("--n-envs", "8", "--timesteps", "64", "ppo.n_steps=8", "ppo.batch_size=32", "env.max_episode_steps=20"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0"),
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings._blame.cache_clear()
    for name in [*os.environ]:
        if name.startswith("JAX_") or name == "XLA_FLAGS":
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"JAX_PLATFORMS": "rocm"}, "JAX_PLATFORMS=rocm"),
        ({"XLA_FLAGS": "--nonsense"}, "XLA_FLAGS=--nonsense (Unknown flag in XLA_FLAGS: --nonsense)"),
        ({"JAX_ENABLE_X64": "perhaps"}, "JAX_ENABLE_X64=perhaps (ValueError: invalid truth value 'perhaps'"),
        ({"XLA_FLAGS": "--nonsense", "JAX_PLATFORMS": "x"}, "JAX_PLATFORMS=x and XLA_FLAGS=--nonsense"),
    ],
    ids=str,
)
def test_the_setting_in_the_way_is_named(settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    said = jax_problem()
    assert said.startswith(f"JAX does not start with {words}") and said.count("\n") == 0 and len(said) <= 300
    assert said.endswith(f"run 'unset {' '.join(sorted(settings))}'")


def test_usual_surroundings_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_probe", lambda: pytest.fail("tried"))
    assert jax_problem() == ""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("JAX_ENABLE_X64", "True")
    assert jax_problem() == ""


def test_unusual_ones_that_work_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_probe", lambda without=(): None)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=true")
    assert jax_problem() == ""


def train(tmp_path: Path, begin: str = "", *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    words = [sys.executable, "-m", "mesozoic", "train", *TINY, "--output-dir", "run", *more]
    command = ["bash", "-c", f'{begin}exec "$@"', "train", *words]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(sys.platform != "linux", reason="needs ulimit -v")
@pytest.mark.parametrize(("backend", "library", "limit"), [("jax", "JAX", 2), ("sb3", "PyTorch", 1)])
def test_too_little_memory_to_address_is_one_sentence_and_no_crash(
    tmp_path: Path, backend: str, library: str, limit: int
) -> None:
    if library == "PyTorch":
        pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")
    done = train(tmp_path, f"ulimit -v {limit}000000; ", "--backend", backend)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith(f"error: this process may address {limit}.0 GB of memory (ulimit -v) and {library}")
    assert not (tmp_path / "run").exists()


def test_a_platform_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = train(tmp_path, JAX_PLATFORMS="rocm")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: JAX does not start with JAX_PLATFORMS=rocm")
    assert not (tmp_path / "run").exists()


@pytest.mark.e2e
def test_double_precision_changes_no_bit_of_what_is_learned(tmp_path: Path) -> None:
    policies = []
    for value in ("0", "1"):
        folder = tmp_path / value
        folder.mkdir()
        done = train(folder, JAX_ENABLE_X64=value)
        assert done.returncode == 0, done.stderr
        policies.append((folder / "run" / "stage1" / "models" / "stage1_final.zip").read_bytes())
    assert policies[0] == policies[1]
