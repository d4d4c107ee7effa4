"""`--gpu-ids`: what it names, and one sentence for each way in which that cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesozoic.learn.gpu_ids import numbers_in
from mesozoic.run import devices
from mesozoic.run.problems import problems, resolve
from mesozoic.run.spec import RunSpec
from mesozoic.sim.mjx.warp_module import JAX_SHARE

HERE = "cpu"
HOW = "give all, or numbers with commas between them, for example --gpu-ids 0,1"
JUDGE = (
    "import json, sys; from mesozoic.run.problems import problems; from mesozoic.run.spec import RunSpec;"
    "print(json.dumps([problems(RunSpec.from_json(raw)) for raw in json.load(sys.stdin)]))"
)


@pytest.mark.parametrize(
    ("typed", "meant"), [("", (0,)), ("all", None), ("0", (0,)), ("3", (3,)), ("1,0", (1, 0)), (" 0, 2 ", (0, 2))]
)
def test_what_it_names(typed: str, meant: tuple[int, ...] | None) -> None:
    assert numbers_in(typed) == meant


@pytest.mark.parametrize("typed", ["x", "0;1", "-1", "0,", ",", "0.5", "ALL ", "0,1,,2", "99999", "0\n--x"])
def test_what_names_nothing_is_one_sentence(typed: str) -> None:
    (sentence,) = problems(RunSpec(stage=1, physics="mjx-jax", gpu_ids=typed), here=False)
    assert "names no devices" in sentence and sentence.endswith(HOW) and sentence.isprintable()


def test_the_native_engine_uses_none() -> None:
    for here in (True, False):
        (sentence,) = problems(RunSpec(stage=1, gpu_ids="0,1"), here)
        assert sentence == (
            "--gpu-ids 0,1 chooses devices that simulate, and physics 'native' simulates on the processor's cores;"
            " leave --gpu-ids out, or choose --physics mjx-warp or mjx-jax"
        )


@pytest.mark.parametrize(("physics", "share"), [("mjx-warp", JAX_SHARE), ("auto", JAX_SHARE), ("mjx-jax", None)])
def test_jax_leaves_memory_for_warp_before_it_is_asked_for_devices(
    physics: str, share: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "")  # so that it is restored
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION")
    seen: list[str | None] = []

    def asked(gpu_ids: str) -> tuple[int, ...]:
        seen.append(os.environ.pop("XLA_PYTHON_CLIENT_MEM_FRACTION", None))
        return (0,)

    monkeypatch.setattr(devices, "chosen", asked)
    assert devices.devices_of(physics, "0").startswith("1 x ")
    if physics != "auto":
        assert devices.devices_asked(RunSpec(gpu_ids="0"), physics, here=True) == 1
    assert set(seen) == {share}


def test_what_a_rented_machine_has_is_for_it_to_say() -> None:
    for physics in ("mjx-jax", "auto"):
        assert problems(RunSpec(stage=1, physics=physics, gpu_ids="0,7"), here=False, gpu=True) == []
    (sentence,) = problems(RunSpec(stage=1, physics="mjx-jax", gpu_ids="7,7"), here=False)
    assert sentence == "--gpu-ids 7,7 names device 7 twice; name each device once"


def test_devices_decide_nothing_that_a_run_is_refused_for() -> None:
    one, two = (resolve(RunSpec(stage=1, physics="mjx-jax", gpu_ids=ids), here=False)[0] for ids in ("", "0,1"))
    assert (one.gpu_ids, two.gpu_ids) == ("", "0,1")
    assert one.to_json() == two.to_json()


def test_what_is_not_there_or_cannot_be_shared_is_said_before_anything_is_written() -> None:
    pytest.importorskip("mujoco.mjx", reason="needs the extra [mjx]")
    cases = [
        ({"gpu_ids": "all"}, []),
        ({"gpu_ids": "2,1"}, []),
        (
            {"gpu_ids": "0,5"},
            [f"--gpu-ids 0,5: there is no device 5 here; JAX sees 0 ({HERE}), 1 ({HERE}), 2 ({HERE}); {HOW}"],
        ),
        (
            {"gpu_ids": "all", "overrides": ["stage.n_envs=4096"]},
            ["stage 1: 4096 worlds cannot be shared equally by 3 devices; give a multiple of 3, for example"
             " --n-envs 4098",
             "stage 1: ppo.batch_size = 8192 cannot be shared equally by 3 devices; set ppo.batch_size to a multiple of"
             " 3"],
        ),
        (
            {"gpu_ids": "all", "overrides": ["stage.n_envs=48", "ppo.n_steps=16", "ppo.batch_size=256"]},
            ["stage 1: ppo.batch_size = 256 cannot be shared equally by 3 devices; set ppo.batch_size to a multiple of"
             " 3"],
        ),
    ]  # fmt: skip
    given = [{"stage": 1, "physics": "mjx-jax", "overrides": ["stage.n_envs=3072"], **raw} for raw, _ in cases]
    done = subprocess.run(
        [sys.executable, "-c", JUDGE],
        input=json.dumps(given),
        env={
            **os.environ,
            "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == [sentences for _, sentences in cases]
