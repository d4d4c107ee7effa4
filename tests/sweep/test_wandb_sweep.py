"""Sweeps are made and cancelled on a W&B server through the real client; what goes wrong there is one sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_server import API_KEY, WandbServer
from support.wandb_state import ENTITY

from mesozoic.errors import UserError
from mesozoic.sweep import agent
from mesozoic.sweep.wandb_sweep import cancel_sweep, create_sweep, sweep_state

CONFIG = {"method": "random", "run_cap": 2, "parameters": {"ppo.gamma": {"min": 0.9, "max": 0.99}}}


@pytest.fixture(autouse=True)
def impatient_without_a_key(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setattr("mesozoic.sweep.wandb_sweep.PATIENCE_SECONDS", 0.1)


def test_created_then_cancelled(server: WandbServer) -> None:
    sweep = create_sweep(CONFIG, API_KEY, "dinos")
    assert sweep.path == f"{ENTITY}/dinos/{sweep.id}"
    assert sweep.url == f"{server.url}/{ENTITY}/dinos/sweeps/{sweep.id}"
    assert server.sweeps[sweep.id].settings["parameters"]["ppo.gamma"]["max"] == 0.99
    assert sweep_state(sweep, API_KEY) == ("PENDING", {})
    cancel_sweep(sweep, API_KEY)
    assert server.sweeps[sweep.id].state == "CANCELED"
    cancel_sweep(sweep, API_KEY)  # again changes nothing


def test_a_key_that_is_wrong(server: WandbServer) -> None:
    with pytest.raises(UserError, match=r"it does not accept the key; .*'wandb login'") as caught:
        create_sweep(CONFIG, "x" * 40, "dinos")
    assert "x" * 40 not in str(caught.value) and "\n" not in str(caught.value)
    assert server.sweeps == {}


def test_a_server_that_is_down(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"at http://127.0.0.1:9: it does not answer; check the network") as caught:
        create_sweep(CONFIG, API_KEY, "dinos")
    assert API_KEY not in str(caught.value)


def test_a_server_that_refuses_the_sweep(server: WandbServer) -> None:
    server.refuse["UpsertSweep"] = 400
    with pytest.raises(UserError, match="could not create the sweep"):
        create_sweep(CONFIG, API_KEY, "dinos")


def test_nothing_is_printed(server: WandbServer, capfd: pytest.CaptureFixture[str]) -> None:
    create_sweep(CONFIG, API_KEY, "dinos")
    assert capfd.readouterr() == ("", "")


def test_an_agent_that_begins_when_the_time_of_all_is_over_takes_no_run(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = create_sweep(CONFIG, API_KEY, "mesozoic")
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    monkeypatch.setenv("UNTIL", str(int(time.time()) - 1))
    monkeypatch.setattr("mesozoic.sweep.agent.program", Path)
    assert agent.main([sweep.path]) == 143 and server.runs == {}
