"""Age, idle time, price and money spent of what is rented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_sky import FakeSky

from mesozoic.cloud.ledger import write_ledger
from mesozoic.cloud.sky.client import Job, Spent
from mesozoic.cloud.sky.inventory import Inventory
from mesozoic.cloud.sky.status import Row, describe_all
from mesozoic.errors import UserError

NAME = "mesozoic-a"


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSky:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    sky = FakeSky()
    sky.cluster(NAME, launched_at=1000.0)
    return sky


def status_rows(sky: FakeSky, now: float) -> list[Row]:
    """What is said about the clusters that are there."""
    found = describe_all(sky, Inventory(clusters=tuple(sky.there.values())), now)
    return [Row(**one.details) for one in found]


def job(state: str, ended: float | None = None) -> Job:
    return Job(1, "mesozoic-train", state, 1000, 1100, ended)


def test_a_busy_machine(sky: FakeSky) -> None:
    sky.queue[NAME] = [job("SUCCEEDED", 2000), job("RUNNING")]
    (row,) = status_rows(sky, now=1000 + 7200)
    assert (row.state, row.age, row.idle, row.price) == ("UP", 7200, 0, 0.75)
    assert row.spent == pytest.approx(1.5)
    assert row.jobs == "1 SUCCEEDED, 1 RUNNING"
    assert row.ends_itself == "down after 5 min idle"
    assert row.warning == ""


def test_idle_since_the_last_job_or_since_the_launch(sky: FakeSky) -> None:
    assert status_rows(sky, now=1300)[0].idle == 300
    sky.queue[NAME] = [job("SUCCEEDED", 2000), job("FAILED", 2500)]
    assert status_rows(sky, now=2560)[0].idle == 60


def test_the_books_know_better_than_the_clock(sky: FakeSky) -> None:
    sky.books = [Spent(NAME, 1000, 3600, 9.99, "", alive=True), Spent(NAME, 500, 100, 1.0, "", alive=False)]
    assert status_rows(sky, now=9000)[0].spent == 9.99


def test_a_machine_that_does_not_answer_is_still_listed(sky: FakeSky, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(name: str) -> list[Job]:
        raise UserError("timed out")

    monkeypatch.setattr(sky, "jobs", silent)
    (row,) = status_rows(sky, now=2000)
    assert row.idle is None and row.jobs == ""


def test_warnings(sky: FakeSky) -> None:
    write_ledger("launch", NAME, max_hours=2.0)
    assert status_rows(sky, now=1000 + 2.5 * 3600)[0].warning == ""
    assert "older than its --max-hours 2" in status_rows(sky, now=1000 + 4 * 3600)[0].warning
    sky.there[NAME] = replace(sky.there[NAME], autostop_minutes=-1)
    (row,) = status_rows(sky, now=2000)
    assert row.ends_itself == "NEVER"
    assert f"mesozoic cloud down {NAME}" in row.warning
    sky.there[NAME] = replace(sky.there[NAME], state="STOPPED")
    assert "disk is still paid for" in status_rows(sky, now=2000)[0].warning
