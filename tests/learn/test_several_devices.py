"""Training on several devices: the same as on one but for last bits, and exactly resumable.

Devices of the processor stand in for GPUs. JAX counts them when it starts, so each case is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesozoic.learn.placement import BY_WORLD, EVERYWHERE, ONE_DEVICE, placement_on

SUPPORT = Path(__file__).parents[1] / "support"
TOLERANCE = 1e-5
"""Of parameters after one update; what differs is the order in which the devices' sums are added."""


def compared(engine: str, devices: int) -> dict[str, Any]:
    paths = os.pathsep.join([str(SUPPORT.parents[1]), str(SUPPORT.parent)])
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "spread_learners.py"), engine],
        env={**os.environ, "PYTHONPATH": paths, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(found: dict[str, Any], devices: int) -> None:
    assert found["devices"] == found["shards"] == devices
    assert found["train"] > 0.0
    assert found["parameters"] < TOLERANCE
    assert found["one after many"] < TOLERANCE
    assert set(found["samples"].values()) == {0.0} and len(found["samples"]) == 6
    assert found["episodes"][0] == found["episodes"][1] > 0
    assert found["resumed"] == 0.0, "a restore on as many devices goes on with other bits"
    assert found["moved"] == 0.0, "what was begun on one device did not arrive on several"
    assert set(found["rollout collectives"]) == {"all-reduce"}, "only the tally is summed over the devices"
    assert not found["rollout waits in loops"], "the physics of one device waits for another's"
    alone, shared = found["bytes"]
    assert shared < (1.0 / devices + 0.2) * alone, "memory is not counted for each device"
    assert found["gradients are added up"], "every device computes the whole update"


@pytest.mark.slow
def test_two_devices_learn_what_one_does() -> None:
    check(compared("springs", 2), 2)


def test_one_device_is_no_case_of_several() -> None:
    """Without `--gpu-ids` no program, array or option of JAX is another one than before there was a choice."""
    tree, function = {"a": object()}, dict
    for gpu_ids in ("", "0"):
        alone = placement_on(gpu_ids)
        assert alone is ONE_DEVICE and alone.devices == 1
    assert all(same(tree, EVERYWHERE) is tree for same in (ONE_DEVICE.put, ONE_DEVICE.constrain))
    assert all(same(tree) is tree for same in (ONE_DEVICE.fetch, ONE_DEVICE.local, ONE_DEVICE.mean, ONE_DEVICE.sum))
    assert ONE_DEVICE.each(function, BY_WORLD, BY_WORLD) is function
    assert ONE_DEVICE.results(BY_WORLD) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "devices"), [("springs", 4), ("mjx", 2)])
def test_more_devices_and_mjx_do_too(engine: str, devices: int) -> None:
    if engine == "mjx":
        pytest.importorskip("mujoco.mjx", reason="needs the extra [mjx]")
    check(compared(engine, devices), devices)
