"""Which engine a training gets, and what it says where that cannot be."""

from __future__ import annotations

import pytest

from mesozoic.run.problems import problems, resolve
from mesozoic.run.spec import RunSpec
from mesozoic.sim import physics


def test_native_unless_asked() -> None:
    (stage,) = resolve(RunSpec(stage=1))
    assert stage.physics == "native"


@pytest.mark.parametrize("name", ["mjx-jax", "mjx-warp"])
def test_a_device_engine_is_recorded_as_what_the_run_is(name: str) -> None:
    (stage,) = resolve(RunSpec(stage=1, physics=name), here=False)
    assert stage.to_json()["physics"] == name
    assert stage.differences({**stage.to_json(), "physics": "native"}) == {"physics": ("native", name)}


def test_auto_is_native_without_a_gpu() -> None:
    (stage,) = resolve(RunSpec(stage=1, physics="auto"))
    assert stage.physics == "native"


def test_auto_is_warp_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physics, "_cuda", lambda: True)
    monkeypatch.setattr(physics, "_importable", lambda name: True)
    (stage,) = resolve(RunSpec(stage=1, physics="auto"))
    assert stage.physics == "mjx-warp"


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
