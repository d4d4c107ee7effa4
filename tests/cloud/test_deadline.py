"""No question to SkyPilot waits for ever, and its requests are told apart."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest

from mesozoic.cloud.sky.client import Unreachable
from mesozoic.cloud.sky.deadline import within
from mesozoic.cloud.sky.sky_client import _launches


def test_an_answer_and_an_error_come_through() -> None:
    assert within(5.0, "test", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5.0, "test", lambda: 1 // 0)


def test_silence_ends() -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"has not answered for 0 s \(status\)"):
        within(0.1, "status", threading.Event().wait)
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("request_name", "cluster", "body", "launches"),
    [
        ("sky.launch", "mesozoic-a", {}, True),
        ("launch", "mesozoic-a", {}, True),
        ("sky.launch", "mesozoic-ab", {}, False),
        ("sky.down", "mesozoic-a", {}, False),
        ("sky.jobs.launch", "sky-jobs-controller", {"task": "name: x", "name": "mesozoic-a"}, True),
        ("sky.jobs.launch", "sky-jobs-controller", {"task": "name: x", "name": "mesozoic-ab"}, False),
        ("sky.jobs.pool_apply", "sky-jobs-controller", {"pool_name": "mesozoic-a"}, True),
        ("sky.jobs.cancel", "sky-jobs-controller", {"name": "mesozoic-a"}, False),
    ],
)
def test_which_requests_launch_something_of_a_name(
    request_name: str, cluster: str, body: dict[str, str], launches: bool
) -> None:
    text = json.dumps(body, separators=(",", ":"))
    request = SimpleNamespace(name=request_name, cluster_name=cluster, request_body=text)
    assert _launches(request, "mesozoic-a") == launches


@pytest.mark.parametrize(
    ("request_name", "cluster", "by_controller", "launches"),
    [
        ("sky.launch", "mesozoic-a-1", True, True),
        ("sky.launch", "mesozoic-a-12", True, True),
        ("sky.launch", "mesozoic-a-1", False, False),
        ("sky.launch", "mesozoic-a", True, False),
        ("sky.launch", "mesozoic-a-1-2", True, False),
        ("sky.down", "mesozoic-a-1", True, False),
    ],
)
def test_which_requests_launch_a_worker_of_a_pool(
    request_name: str, cluster: str, by_controller: bool, launches: bool
) -> None:
    """A cluster of the user's own with such a name is none."""
    text = json.dumps({"is_launched_by_sky_serve_controller": by_controller}, separators=(",", ":"))
    request = SimpleNamespace(name=request_name, cluster_name=cluster, request_body=text)
    assert _launches(request, "mesozoic-a", workers=True) == launches


@pytest.mark.parametrize(("state", "known"), [(None, True), ("STOPPED", True), ("INIT", False), ("UP", False)])
def test_a_controller_that_does_not_answer_is_not_an_empty_list(state: str | None, known: bool) -> None:
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    from sky import exceptions
    from sky.utils import status_lib

    from mesozoic.cloud.sky.managed_client import _of_the_controller

    def ask() -> object:
        raise exceptions.ClusterNotUpError("not up", cluster_status=state and status_lib.ClusterStatus(state))

    if known:
        assert _of_the_controller("pools", ask) == []
        return
    with pytest.raises(Unreachable, match=f"jobs controller is {state}"):
        _of_the_controller("pools", ask)
