"""The benchmark of GPUs measures what it promises, and runs where there is none."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "bench_gpu.py"
SPECIES = ["velociraptor", "trex", "brachiosaurus"]
WORLDS = [512, 1024, 2048, 4096, 8192, 16384]

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="needs a checkout")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_gpu", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_gpu"] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_plan_has_all_sizes_engines_animals_and_settings(script: ModuleType) -> None:
    plan = script.cases(SPECIES, ["warp", "jax"], WORLDS)
    measured = [case for case in plan if case.kinds != ("parity",)]
    assert {case.worlds for case in measured if case.impl == "warp"} == set(WORLDS)
    assert {case.impl for case in measured} == {"warp", "jax"}
    assert {case.species for case in measured} == set(SPECIES)
    assert {case.graph_mode for case in measured} == {None, "WARP", "WARP_STAGED_EX"}
    assert {case.n_steps for case in measured} == {16, 32}
    assert {case.ls_iterations for case in measured} == {None, 5, 8}
    assert {(case.species, case.impl) for case in plan if case.kinds == ("parity",)} == {
        (name, impl) for name in SPECIES for impl in ("warp", "jax")
    }
    assert len({case.name for case in plan}) == len(plan)


@pytest.mark.parametrize("worlds", [16, 512, 3000])
def test_a_size_that_is_asked_for_is_measured(script: ModuleType, worlds: int) -> None:
    """Also one that only the comparison with the processor has in the plan."""
    found = script.cases(["velociraptor"], ["jax"], [worlds])
    (case,) = [case for case in found if case.kinds != ("parity",)]
    assert (case.worlds, case.kinds) == (worlds, ("physics", "environment", "training"))


@pytest.mark.slow
def test_it_runs_on_a_processor_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("mujoco.mjx", reason="needs the extra [mjx]")
    options = ["--species", "velociraptor", "--impl", "jax", "--worlds", "16", "--each", "0.01"]
    words = [sys.executable, str(SCRIPT), *options, "--output", str(tmp_path)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}

    def run(*more: str) -> str:
        done = subprocess.run([*words, *more], env=environment, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("--seconds", "1800")
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    kinds = [row["kind"] for row in rows if row["kind"] != "begun"]
    assert sorted(kinds) == ["environment", "parity", "physics", "training"], rows
    for row in rows:
        if row["kind"] in ("physics", "environment", "training"):
            assert row["steps_per_second"] > 0 and row["compile_seconds"] > 0
        if row["kind"] == "parity":
            assert row["reset"] < 1e-3 and row["median_world"] < 1e-3
    table = (tmp_path / "table.md").read_text()
    assert (
        all(f"| {kind} |" in table for kind in ("physics", "environment", "training"))
        and "parity velociraptor" in table
    )
    assert json.loads((tmp_path / "environment.json").read_text())["platform"] == "cpu"
    before = (tmp_path / "results.jsonl").read_bytes()
    assert "| training |" in run("--seconds", "1800")
    assert (tmp_path / "results.jsonl").read_bytes() == before
