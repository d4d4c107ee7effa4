"""The end of a managed pool: nothing stays rented, whatever its workers are doing and whatever SkyPilot forgets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fake_sky import FakeSky, Request

from mesozoic.cloud.ledger import begin, open_launches
from mesozoic.cloud.sky.client import Pool, Spent
from mesozoic.cloud.sky.provider import SkyProvider

NAME = "mesozoic-sweep-1"


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSky:
    """With a pool of two workers that was launched from here."""
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    sky = FakeSky()
    begin("pool", NAME)
    sky.apply_pool("the task", NAME, 2)
    return sky


def end(sky: FakeSky) -> None:
    SkyProvider(sky).end(NAME)


def escaping_worker(sky: FakeSky) -> None:
    """The pool's second worker has no machine yet."""
    workers = (("mesozoic-sweep-1-1", "READY"), ("mesozoic-sweep-1-2", "PROVISIONING"))
    sky.pooled["mesozoic-sweep-1"] = Pool("mesozoic-sweep-1", "READY", workers)
    sky.escaping = {"mesozoic-sweep-1-2"}


def test_a_pool_whose_workers_are_all_there_ends_at_once(sky: FakeSky) -> None:
    """Having none first takes minutes for each of its machines, which are paid for."""
    end(sky)
    assert "empty_pool mesozoic-sweep-1" not in sky.calls and sky.pooled == {}


def alive(sky: FakeSky) -> list[str]:
    return [one.name for one in sky.books if one.alive]


def test_a_worker_that_is_being_launched_is_ended_before_its_pool(sky: FakeSky) -> None:
    """A pool that is taken down forgets it, and its machine comes up afterwards."""
    escaping_worker(sky)
    sky.late = 4
    end(sky)
    for _ in range(9):
        sky.pools()  # time goes by
    assert alive(sky) == [] and sky.pooled == {}
    assert sky.calls.index("empty_pool mesozoic-sweep-1") < sky.calls.index("down_pool mesozoic-sweep-1")


@pytest.mark.parametrize(("failing", "call"), [("deaf", "empty_pool"), ("silent", "empty_pool mesozoic-sweep-1")])
def test_a_worker_that_stays_behind_its_pool_is_ended(sky: FakeSky, failing: str, call: str) -> None:
    """SkyPilot cannot empty the pool: it says so and does nothing, or refuses."""
    escaping_worker(sky)
    setattr(sky, failing, {call})
    end(sky)
    assert alive(sky) == [] and sky.pooled == {} and open_launches() == {}
    assert "down mesozoic-sweep-1-2" in sky.calls and "down mesozoic-sweep-1-1" not in sky.calls


def test_the_launch_of_a_worker_that_stays_behind_is_cancelled(sky: FakeSky) -> None:
    sky.requests = [Request("request-7", "mesozoic-sweep-1-1", 0, lambda: None, begun=True)]
    end(sky)
    assert sky.requests == []


def test_workers_that_stayed_behind_their_pool_are_listed(sky: FakeSky) -> None:
    """Somebody took the pool down with `sky`. A cluster of the user's own with such a name is not a worker."""
    sky.pooled.clear()
    now = time.time()
    sky.books = [
        Spent("mesozoic-sweep-1-3", now, 60.0, 0.1, "1x A10", alive=True, managed=True),
        Spent("mesozoic-sweep-1-4", now, 60.0, 0.1, "1x A10", alive=False, managed=True),
        Spent("mesozoic-sweep-1-5", now, 60.0, 0.1, "1x A10", alive=True),
        Spent("mesozoic-sweep-1-10-1", now, 60.0, 0.1, "1x A10", alive=True, managed=True),
    ]
    (pool,) = SkyProvider(sky).ours()
    assert (pool.what, pool.name, pool.state, pool.text) == ("pool", NAME, "WORKERS_LEFT", f"{NAME}-3 (alive)")
    end(sky)
    assert alive(sky) == ["mesozoic-sweep-1-5", "mesozoic-sweep-1-10-1"]
