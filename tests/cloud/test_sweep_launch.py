"""A rented sweep is made as a whole or not at all: real W&B client, real optimizer, recorded machines."""

from __future__ import annotations

import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fake_sky import interrupted, sold_out
from rented_sweep import Machines, request
from support.wandb_server import API_KEY, WandbServer

from mesozoic.cloud.ledger import launched, read_ledger
from mesozoic.cloud.sky.client import Job
from mesozoic.cloud.sky.sweep import launch_sweep
from mesozoic.cloud.sky.sweep_agents import wait_for_agents
from mesozoic.errors import UserError
from mesozoic.sweep.wandb_sweep import Sweep

pytestmark = pytest.mark.skipif(find_spec("sky") is None, reason="needs the extra [cloud]")  # conftest imports it


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gpus": "A100:0"}, "is not GPU"),
        ({"gpus": "A100:88", "nodes": 8}, "704 agents are more than 256"),
        ({"gpus": "A1000"}, "did you mean|is offered"),
        ({"infra": "lamda"}, "did you mean 'lambda'"),
        ({"infra": "gcp"}, "gcp: no"),
        ({"max_hourly_cost": 1.0}, r"--max-hourly-cost 1 is below every offer; the cheapest is .* \$16.00/h"),
        ({"down": True}, "add --wait"),
        ({"env": (("SWEEP", "x"),)}, "no knob 'SWEEP'; did you mean 'SWEEP_ID'"),
        ({"env": (("WANDB_API_KEY", "x"),)}, "would be stored in plain text"),
        ({"sweep_file": Path("nowhere.yaml")}, "cannot read nowhere.yaml"),
        ({"name": "a b"}, "--name 'a b' is not usable"),
    ],
)
def test_bad_input_makes_nothing(server: WandbServer, changes: dict[str, Any], sentence: str) -> None:
    sky = Machines()
    with pytest.raises(UserError, match=sentence) as caught:
        launch_sweep(request(**changes), print, client=sky)
    assert "\n" not in str(caught.value)
    assert server.operations == [] and sky.calls == [] and read_ledger() == []


def test_without_a_key(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UserError, match="there is no key for it; type 'wandb login'"):
        launch_sweep(request(), print, client=Machines())
    launch_sweep(request(dry_run=True), print)


def test_dry_run_makes_nothing(server: WandbServer) -> None:
    sky, said = Machines(), list[str]()
    result = launch_sweep(request(dry_run=True, yes=False), said.append, client=sky)
    assert (result.cluster, result.sweep, result.jobs) == ("", None, ())
    assert said[-1] == "dry run: no sweep was created and nothing was rented"
    assert server.operations == [] and sky.calls == [] and read_ledger() == []


def test_nothing_is_made_without_a_yes(server: WandbServer) -> None:
    sky = Machines()
    with pytest.raises(UserError, match="nothing was created or rented"):
        launch_sweep(request(yes=False), print, confirm=lambda question: False, client=sky)
    assert server.operations == [] and sky.calls == []


def test_an_agent_for_each_gpu(server: WandbServer) -> None:
    sky, said = Machines(), list[str]()
    result = launch_sweep(request(max_hours=2), said.append, client=sky)
    (sweep,) = server.sweeps.values()
    assert result.sweep is not None and result.sweep.id == sweep.name
    assert sky.calls.count("execute mesozoic-sweep-1") == len(result.jobs) == 8
    cluster_task, *agents = sky.tasks
    assert cluster_task.run is None and "node-setup.sh" in cluster_task.setup
    for task in agents:
        assert task.envs["SWEEP_ID"] == f"dinosaurs/mesozoic/{sweep.name}"
        assert (task.envs["SLOTS"], task.envs["MAX_HOURS"]) == ("8", "2")
        assert task.envs["UNTIL"] == agents[0].envs["UNTIL"] and 0 < int(task.envs["UNTIL"]) - time.time() < 7801
        assert task.envs["WANDB_BASE_URL"] == server.url
        assert task.secrets["WANDB_API_KEY"].get_secret_value() == API_KEY
        assert task.setup is None and task.workdir is None
        (resources,) = task.resources
        assert resources.accelerators == {"A100": 1}
    text = "\n".join(said)
    for hint in (result.sweep.url, "cloud queue mesozoic-sweep-1", "pull mesozoic-sweep-1", "down mesozoic-sweep-1"):
        assert hint in text
    assert API_KEY not in text and API_KEY not in str(read_ledger())
    assert launched("mesozoic-sweep-1")["run_name"] == f"sweep-{sweep.name}"
    assert "mesozoic-sweep-1" in sky.there


def fail_at_agent(number: int, error: BaseException) -> Any:
    left = [number]

    def on_agent() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error

    return on_agent


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("sold out", "Failed to acquire"),
        ("interrupted", "interrupted"),
        ("setup", "could not be set up"),
        ("agent", "no job for you"),
        ("interrupted at an agent", "interrupted"),
        ("SIGTERM", "interrupted"),
        ("SIGHUP", "interrupted"),
    ],
)
def test_whatever_goes_wrong_nothing_is_left(server: WandbServer, what: str, sentence: str) -> None:
    sky, said = Machines(), list[str]()
    if what == "sold out":
        sky.launching = sold_out
    elif what == "interrupted":
        sky.launching = interrupted
    elif what == "setup":
        sky.job_states = ["FAILED_SETUP"]
    elif what == "agent":
        sky.on_agent = fail_at_agent(3, UserError("no job for you"))
    elif what == "interrupted at an agent":
        sky.on_agent = fail_at_agent(3, KeyboardInterrupt())
    else:
        sky.launching = lambda name: os.kill(os.getpid(), getattr(signal, what))
    with pytest.raises(UserError, match=f"{sentence}.*nothing of it is left running; the sweep is cancelled") as caught:
        launch_sweep(request(), said.append, client=sky)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == {"SIGTERM": 143, "SIGHUP": 129}.get(what, 130 if "interrupted" in what else 2)
    assert sky.there == {}
    (sweep,) = server.sweeps.values()
    assert sweep.state == "CANCELED"


def test_a_bug_of_ours_takes_everything_down_too(server: WandbServer) -> None:
    sky, said = Machines(), list[str]()
    sky.on_agent = fail_at_agent(1, ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        launch_sweep(request(), said.append, client=sky)
    assert sky.there == {} and "nothing of it is left running; the sweep is cancelled" in said[-1]


def test_the_network_goes_and_stays_away(server: WandbServer) -> None:
    sky = Machines()

    def cut(name: str) -> None:
        sky.network = False
        server.refuse["SweepWithRuns"] = 400
        raise UserError("SkyPilot does not answer")

    sky.launching = cut
    with pytest.raises(UserError, match=r"could NOT be confirmed.*mesozoic cloud down mesozoic-sweep-1") as caught:
        launch_sweep(request(), print, client=sky, patience=0.0)
    assert "the sweep could not be cancelled" in str(caught.value)


def test_wandb_refuses_so_nothing_is_rented(server: WandbServer) -> None:
    sky = Machines()
    server.refuse["UpsertSweep"] = 400
    with pytest.raises(UserError, match="could not create the sweep"):
        launch_sweep(request(), print, client=sky)
    assert not any(call.startswith("launch") for call in sky.calls)


def test_a_cluster_of_that_name_is_left_alone(server: WandbServer) -> None:
    sky = Machines()
    sky.cluster("mesozoic-sweep-1")
    with pytest.raises(UserError, match="exists already"):
        launch_sweep(request(), print, client=sky)
    assert "mesozoic-sweep-1" in sky.there and server.sweeps == {}


class Ending(Machines):
    """Machines whose agents end one after the other, whenever somebody looks."""

    def __init__(self, *states: str) -> None:
        super().__init__()
        self.states = list(states)

    def jobs(self, name: str) -> list[Job]:
        jobs = super().jobs(name)
        for place, job in enumerate(jobs):
            if place > 0 and not job.ended and self.states:  # the first one is the setup
                jobs[place] = Job(job.id, job.name, self.states.pop(0), 0.0, 0.0, 1.0)
                break
        return jobs


@pytest.mark.parametrize(("last", "failed"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_wait_pull_and_down(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, failed: int
) -> None:
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_agents.PAUSE", 0.0)
    sky, said = Ending(*["SUCCEEDED"] * 7, last), list[str]()
    wanted = request(wait=True, pull=tmp_path / "swept", down=True)
    result = launch_sweep(wanted, said.append, client=sky)
    assert len(result.failed) == failed
    assert result.sweep is not None
    assert f"download mesozoic-sweep-1 ~/mesozoic-runs/sweep-{result.sweep.id}" in sky.calls
    assert (tmp_path / "swept" / f"sweep-{result.sweep.id}" / "stage1" / "models" / "stage1_final.zip").exists()
    assert sky.there == {}
    assert any(("agents that failed" in line) == bool(failed) for line in said)


def test_waiting_survives_a_network_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_agents.sweep_state", lambda sweep, key: ("RUNNING", {"a": "running"}))
    answers: list[Any] = [
        UserError("no network"),
        [Job(1, "a", "RUNNING", 0, 0, None)],
        [Job(1, "a", "FAILED", 0, 0, 1)],
    ]

    def look() -> list[Job]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: list[Job] = answer
        return found

    nowhere = Sweep("x", "e", "p", "")
    assert wait_for_agents(look, [1], nowhere, lambda line: None, sleep=lambda seconds: None) == {1: "FAILED"}
    answers = [UserError("no network")] * 3
    with pytest.raises(UserError, match="no word from the agents"):
        wait_for_agents(look, [1], nowhere, lambda line: None, silence=-1.0, sleep=lambda seconds: None)
