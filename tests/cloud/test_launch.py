"""A launch succeeds, falls through, or leaves nothing behind."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fake_sky import A10, A100, FakeSky, interrupted, sold_out

from mesozoic.cloud.ledger import launched, read_ledger
from mesozoic.cloud.offer import Offer
from mesozoic.cloud.request import make_request
from mesozoic.cloud.sky.launch import Plan, rent, rent_managed, which_was_taken
from mesozoic.errors import UserError

NAME = "mesozoic-trex-1"


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def plan() -> Plan:
    request = make_request({"TIMESTEPS": "1000"}, species="trex", stage="1", name=NAME, max_hours=2)
    return Plan(request, "the task", [Offer(A10, 30, None), Offer(A100, 30, None)], [])


def test_it_is_rented_and_remembered(plan: Plan, ledger: Path) -> None:
    sky, said = FakeSky(), list[str]()
    rented = rent(sky, plan, said.append)
    assert (rented.name, rented.job) == (NAME, 1)
    assert f"launch {NAME} idle=5" in sky.calls and f"autodown {NAME} 5" not in sky.calls
    assert sky.tasks == ["the task"]
    assert said == ["rented: lambda gpu_1x_a10 (A10:1) in us-east-1 at $0.75/h"]
    line = launched(NAME)
    assert (line["run_name"], line["max_hours"], line["envs"]["TIMESTEPS"]) == ("trex-1", 2, "1000")


def test_it_says_what_was_sold_out(plan: Plan) -> None:
    sky, said = FakeSky(), list[str]()
    sky.placed = A100
    rent(sky, plan, said.append)
    (line,) = said
    assert "rented: lambda gpu_1x_a100_sxm4" in line
    assert "not available: lambda gpu_1x_a10 (A10:1)" in line
    assert "not available" not in which_was_taken(plan.offers, A10)


def test_a_name_that_exists(plan: Plan) -> None:
    sky = FakeSky()
    sky.cluster(NAME)
    with pytest.raises(UserError, match=f"'{NAME}' exists already.*cloud exec {NAME}.*another --name"):
        rent(sky, plan, print)
    assert NAME in sky.there
    assert not any(call.startswith(("launch", "down")) for call in sky.calls)
    assert read_ledger() == []


def test_credentials_that_do_not_work(plan: Plan) -> None:
    sky = FakeSky()
    sky.enabled = []
    with pytest.raises(UserError, match="could not use the credentials of lambda; type 'sky check lambda'"):
        rent(sky, plan, print)
    assert not any(call.startswith("launch") for call in sky.calls)


def test_all_sold_out(plan: Plan) -> None:
    sky = FakeSky()
    sky.launching = sold_out
    with pytest.raises(UserError) as caught:
        rent(sky, plan, lambda line: None)
    text = str(caught.value)
    assert "lambda gpu_1x_a10 (A10:1), lambda gpu_1x_a100_sxm4 (A100:1)" in text
    assert "--retry-until-up" in text and "nothing of it is left running" in text and "\n" not in text
    assert sky.there == {}


def test_network_down_for_a_while_in_the_middle(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster is half made, nobody answers for some tries, then it is terminated and looked for again."""
    sky, tries = FakeSky(), iter(range(100))

    def broken(name: str) -> None:
        sky.network = False
        raise ConnectionError

    def back(seconds: float) -> None:
        sky.network = next(tries) >= 3

    sky.launching = broken
    monkeypatch.setattr(time, "sleep", back)
    with pytest.raises(ConnectionError):
        rent(sky, plan, lambda line: None, patience=1e6)
    assert sky.there == {}
    assert f"down {NAME}" in sky.calls and sky.calls[-1] == "clusters refresh"


def test_network_down_for_good(plan: Plan) -> None:
    sky = FakeSky()

    def broken(name: str) -> None:
        sky.network = False
        raise UserError("SkyPilot does not answer")

    sky.launching = broken
    with pytest.raises(UserError, match=rf"could NOT be confirmed.*'mesozoic cloud down {NAME}'"):
        rent(sky, plan, lambda line: None, patience=5)


def test_interrupted(plan: Plan) -> None:
    sky = FakeSky()
    sky.launching = interrupted
    with pytest.raises(UserError, match=r"interrupted.*nothing of it is left running") as caught:
        rent(sky, plan, lambda line: None)
    assert caught.value.exit_code == 130
    assert sky.there == {}
    assert f"cancel request-{NAME}" in sky.calls


@pytest.mark.parametrize("moment", ["cancel_request", "down"])
def test_interrupted_again_while_it_is_taken_down(plan: Plan, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not wait is told that something may be left, and what to type."""
    sky = FakeSky()
    sky.launching = interrupted
    monkeypatch.setattr(sky, moment, interrupted)
    with pytest.raises(UserError, match=rf"could NOT be confirmed.*'mesozoic cloud down {NAME}'") as caught:
        rent(sky, plan, lambda line: None)
    assert caught.value.exit_code == 130


def test_the_key_is_in_no_ledger(plan: Plan, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "s3cr3t" * 8)
    rent(FakeSky(), plan, lambda line: None)
    assert "s3cr3t" not in ledger.read_text()
    assert [json.loads(line)["event"] for line in ledger.read_text().splitlines()] == ["launch", "asked", "up"]


def test_a_managed_job(plan: Plan) -> None:
    sky = FakeSky()
    assert rent_managed(sky, plan, lambda line: None) == 1
    assert f"launch_managed {NAME}" in sky.calls
    with pytest.raises(UserError, match=f"managed job '{NAME}' is PENDING already"):
        rent_managed(sky, plan, lambda line: None)
