"""Which engine a training gets, and what it says where that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesozoic.learn.kinds import find_kind
from mesozoic.run import auto_physics
from mesozoic.run.auto_physics import choose
from mesozoic.run.problems import problems, resolve
from mesozoic.run.spec import RunSpec
from mesozoic.run.stage_spec import StageSpec
from mesozoic.sim import physics
from mesozoic.sim.mjx import warp_module
from mesozoic.species import load_stage


def test_native_unless_asked() -> None:
    (stage,) = resolve(RunSpec(stage=1))
    assert stage.physics == "native"


@pytest.mark.parametrize("name", ["mjx-jax", "mjx-warp"])
def test_a_device_engine_is_recorded_as_what_the_run_is(name: str) -> None:
    (stage,) = resolve(RunSpec(stage=1, physics=name), here=False)
    assert stage.to_json()["physics"] == name
    assert stage.differences({**stage.to_json(), "physics": "native"}) == {"physics": ("native", name)}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this a machine whose driver lists a GPU, with what JAX and Warp say of it."""

    def make(jax: str = "NVIDIA A10", warp: str = "", listed: str = "NVIDIA A10", installed: bool = True) -> None:
        monkeypatch.delenv("JAX_PLATFORMS", raising=False)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(physics, "_seen_by_jax", lambda: jax)
        monkeypatch.setattr(physics, "_listed", lambda: listed)
        monkeypatch.setattr(physics, "_importable", lambda name: installed or name != "warp")
        monkeypatch.setattr(warp_module, "warp_problem", lambda: warp)

    return make


def auto(**parts: Any) -> StageSpec:
    return resolve(RunSpec(**{"stage": 1, "physics": "auto", **parts}))[0]


def line(**parts: Any) -> str:
    spec = RunSpec(**{"stage": 1, "physics": "auto", **parts})
    return choose(spec, find_kind(spec.backend, spec.algorithm)).line


def test_auto_is_native_without_a_gpu(gpu: Callable[..., None]) -> None:
    gpu(jax="cpu", listed="")
    assert auto().physics == "native"
    assert line() == "note: physics auto is native, because there is no NVIDIA GPU"


def test_auto_is_warp_on_a_gpu_with_the_settings_for_it(gpu: Callable[..., None]) -> None:
    gpu()
    stage = auto()
    assert stage.physics == "mjx-warp"
    assert stage.config == load_stage("velociraptor", 1, device=True)
    assert line() == "note: physics auto is mjx-warp, because there is NVIDIA A10"


def test_auto_is_native_for_stages_without_a_table_for_gpus(
    gpu: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their worlds and batches are those of a processor, with which a GPU has nothing to do."""
    gpu()
    monkeypatch.setattr(auto_physics, "has_device_table", lambda species, number: number != 2)
    assert [auto(stage=number).physics for number in (1, 2, 3)] == ["mjx-warp", "native", "mjx-warp"]
    assert auto(stage=None).physics == "native"
    assert auto(stage=None, target=1).physics == "mjx-warp"
    assert line(stage=None) == (
        "note: physics auto is native, because stage 2 of velociraptor has no [device] table for a GPU"
    )


def test_auto_is_native_for_a_learner_of_the_host(gpu: Callable[..., None]) -> None:
    gpu()
    assert line(backend="sb3") == "note: physics auto is native, because sb3-ppo learns on no other"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"jax": "cpu"}, "JAX sees cpu only; see the driver with nvidia-smi"),
        ({"jax": ""}, "JAX sees no device only; see the driver with nvidia-smi"),
        ({"warp": "Warp sees no CUDA device"}, "Warp sees no CUDA device"),
        (
            {"installed": False},
            "physics 'mjx-warp' needs warp, which is not installed; run: pip install 'mesozoic[cuda]'",
        ),
    ],
)
def test_a_gpu_that_cannot_be_used_is_a_warning(gpu: Callable[..., None], machine: dict[str, Any], reason: str) -> None:
    gpu(**machine)
    assert auto().physics == "native"
    assert line() == (
        f"warning: physics auto is native, because NVIDIA A10 cannot be used ({reason}); the processor simulates"
    )


@pytest.mark.parametrize(("name", "value"), [("JAX_PLATFORMS", "cpu"), ("CUDA_VISIBLE_DEVICES", "")])
def test_a_gpu_that_a_process_may_not_use_is_none(
    gpu: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    gpu()
    monkeypatch.setenv(name, value)
    assert physics.gpu_here() == physics.Gpu()


def test_the_gpu_is_what_the_drivers_tool_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    for text, name in (
        ("echo 'GPU 0: NVIDIA A10 (UUID: GPU-1)'; echo 'GPU 1: NVIDIA A100 (UUID: GPU-2)'", "NVIDIA A10"),
        ("echo 'No devices were found'", ""),
        ("exit 9", ""),
    ):
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
        assert physics._listed.__wrapped__() == name
    tool.unlink()
    assert physics._listed.__wrapped__() == ""


def test_another_machine_is_asked_about_and_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_physics, "gpu_here", lambda: pytest.fail("looked at this machine"))
    found = [resolve(RunSpec(stage=1, physics="auto"), here=False, gpu=gpu)[0].physics for gpu in (True, False)]
    assert found == ["mjx-warp", "native"]


def test_an_engine_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physics, "_importable", lambda name: name != "warp")
    assert problems(RunSpec(stage=1, physics="mjx-warp")) == [
        "physics 'mjx-warp' needs warp, which is not installed; run: pip install 'mesozoic[cuda]'"
    ]
    assert problems(RunSpec(stage=1, physics="mjx-warp"), here=False) == []


def test_a_mistyped_engine_is_named() -> None:
    (sentence,) = problems(RunSpec(stage=1, physics="mjx-wrap"))
    assert "unknown physics 'mjx-wrap'" in sentence and "'mjx-warp'" in sentence


def test_a_learner_without_device_collector_refuses() -> None:
    (sentence,) = problems(RunSpec(stage=1, backend="sb3", physics="mjx-jax"), here=False)
    assert sentence == "sb3-ppo cannot learn on physics 'mjx-jax'; it has: native"
