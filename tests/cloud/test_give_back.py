"""Machines are given back, and what is left is said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fake_sky import FakeSky

from mesozoic.cloud.ledger import write_ledger
from mesozoic.cloud.sky.give_back import give_back, our_clusters, report_left
from mesozoic.errors import UserError


@pytest.fixture(autouse=True)
def no_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_ours_are_known_by_prefix_or_ledger() -> None:
    sky = FakeSky()
    for name in ("mesozoic-a", "my-raptor", "somebody-elses"):
        sky.cluster(name)
    write_ledger("launch", "my-raptor")
    assert [one.name for one in our_clusters(sky)] == ["mesozoic-a", "my-raptor"]


def test_half_made_ones_go_as_well_and_the_rest_stays() -> None:
    sky, said = FakeSky(), list[str]()
    sky.cluster("mesozoic-a", "INIT")
    sky.cluster("somebody-elses")
    assert give_back(sky, ["mesozoic-a"], said.append) == []
    assert list(sky.there) == ["somebody-elses"]
    assert sky.calls[-1] == "clusters refresh"
    assert report_left(sky, said.append) == []
    assert "no cluster of this project is left" in said[-1]


def test_it_tries_again() -> None:
    sky, said, tries = FakeSky(), list[str](), iter(range(10))

    def stubborn(name: str) -> None:
        if next(tries) < 2:
            raise UserError("SkyPilot: the cloud said 503")

    sky.cluster("mesozoic-a")
    sky.downing = stubborn
    assert give_back(sky, ["mesozoic-a"], said.append, patience=1000) == []
    assert said == ["mesozoic-a is not down yet: SkyPilot: the cloud said 503"] * 2


def test_it_says_what_it_could_not_end() -> None:
    sky, said = FakeSky(), list[str]()

    def refuses(name: str) -> None:
        raise UserError("no")

    sky.cluster("mesozoic-a")
    sky.downing = refuses
    assert give_back(sky, ["mesozoic-a"], said.append, patience=1) == ["mesozoic-a"]
    assert [one.name for one in report_left(sky, said.append)] == ["mesozoic-a"]
    assert "still there: mesozoic-a (UP); 'mesozoic cloud down --all'" in said[-1]
