"""Nothing bills unseen: what is started is in the ledger first, and is found and ended whatever became of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_sky import A10, FakeSky, interrupted

from mesozoic.cli import cloud_options
from mesozoic.cli.app import main
from mesozoic.cloud.ledger import begin, open_launches, read_ledger, write_ledger
from mesozoic.cloud.offer import Offer
from mesozoic.cloud.request import make_request
from mesozoic.cloud.sky.client import Pool, Spent
from mesozoic.cloud.sky.launch import Plan, rent, rent_managed
from mesozoic.cloud.sky.provider import SkyProvider
from mesozoic.cloud.undo import give_back
from mesozoic.errors import UserError

NAME = "mesozoic-trex-1"
Run = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return tmp_path


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch) -> FakeSky:
    sky = FakeSky()
    monkeypatch.setattr(cloud_options, "connect", lambda: sky)
    return sky


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        """Exit code and output of `mesozoic cloud ...`."""
        monkeypatch.setattr(sys, "argv", ["mesozoic", "cloud", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        out = capsys.readouterr()
        return int(caught.value.code or 0), out.out + out.err

    return run


def plan(managed: bool = False) -> Plan:
    request = make_request({"TIMESTEPS": "1000"}, species="trex", stage="1", name=NAME, managed=managed)
    return Plan(request, "the task", [Offer(A10, 30, None)], [])


def launch(sky: FakeSky, managed: bool = False) -> None:
    """As `mesozoic cloud launch` does it, to the end or to its error."""
    if managed:
        rent_managed(sky, plan(True), lambda line: None, patience=300)
    else:
        rent(sky, plan(), lambda line: None, patience=300)


def much_later(sky: FakeSky) -> FakeSky:
    for _ in range(50):
        sky.clusters()
    return sky


@pytest.mark.parametrize("managed", [False, True])
def test_it_is_in_the_ledger_before_it_is_asked_for(
    sky: FakeSky, managed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[str, str]] = []
    accept = sky._accept

    def look_first(call: str, name: str, begin: Callable[[], None]) -> str:
        noted.extend((one.name, one.kind) for one in open_launches().values())
        return accept(call, name, begin)

    monkeypatch.setattr(sky, "_accept", look_first)
    launch(sky, managed)
    assert noted == [(NAME, "managed job" if managed else "cluster")]


@pytest.mark.parametrize("managed", [False, True])
def test_a_ledger_that_cannot_be_written_means_that_nothing_is_rented(
    sky: FakeSky, managed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", "/dev/full/nowhere")
    with pytest.raises(UserError, match="nothing was rented: free the disk") as caught:
        launch(sky, managed)
    assert caught.value.exit_code == 2
    assert sky.requests == [] and sky.there == {} and sky.managed == []


def test_half_a_line_does_not_swallow_the_next(home: Path) -> None:
    (home / "ledger.jsonl").write_text('{"event": "launch", "clus')
    begin("cluster", NAME)
    assert list(open_launches()) == [NAME]


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("late", [0, 4])
def test_an_answer_that_is_lost_is_looked_for(sky: FakeSky, managed: bool, late: int) -> None:
    """SkyPilot has taken the request; nobody was told its number; it may show only some looks later."""
    sky.lost, sky.late = {"launch", "launch_managed"}, late
    with pytest.raises(UserError, match=r"read timed out.*checked: nothing of it is left running"):
        launch(sky, managed)
    much_later(sky)
    assert sky.there == {} and sky.requests == [] and all(job.ended for job in sky.managed)
    assert open_launches() == {}


def test_ctrl_c_between_the_request_and_its_answer(sky: FakeSky, monkeypatch: pytest.MonkeyPatch) -> None:
    start = sky.start_launch

    def pressed(*arguments: Any) -> str:
        start(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(sky, "start_launch", pressed)
    sky.late = 3
    with pytest.raises(UserError, match=r"interrupted.*nothing of it is left") as caught:
        launch(sky)
    assert caught.value.exit_code == 130
    much_later(sky)
    assert sky.there == {} and sky.requests == []


def test_what_cannot_be_known_is_said_with_what_to_type(sky: FakeSky, run: Run) -> None:
    sky.lost, sky.deaf = {"launch"}, {"down"}
    with pytest.raises(UserError, match=rf"could NOT be confirmed.*'mesozoic cloud down {NAME}'"):
        launch(sky)
    sky.deaf = set()
    assert NAME in run("status")[1]
    assert run("down", "--all", "--yes")[0] == 0
    assert sky.there == {}


@pytest.mark.parametrize("shown", [False, True])
def test_a_launcher_that_was_killed(sky: FakeSky, run: Run, shown: bool) -> None:
    """Nobody undoes anything: what it asked for is listed, with what to type, and is ended."""
    begin("cluster", NAME)
    sky.late = 0 if shown else 10
    sky.start_launch("the task", NAME, False, 5)
    code, out = run("status")
    assert code == 0 and NAME in out and ("INIT" if shown else "SkyPilot lists nothing of that name") in out
    listed = json.loads(run("status", "--json")[1])
    assert [one["name"] for one in listed["clusters" if shown else "unseen"]] == [NAME]
    assert run("down", "--all", "--yes")[0] == 0
    much_later(sky)
    assert sky.there == {} and sky.requests == []
    assert "nothing of this project is rented" in run("status")[1]


def test_one_wrong_answer_does_not_make_a_cluster_disappear(sky: FakeSky, run: Run) -> None:
    launch(sky)
    sky.blind = 1
    code, out = run("status", "--json")
    assert code == 0 and [one["name"] for one in json.loads(out)["clusters"]] == [NAME]
    sky.blind = 1
    assert run("down", NAME, "--yes")[0] == 0
    assert sky.there == {}


def test_an_end_that_was_only_said_is_not_believed(sky: FakeSky, run: Run) -> None:
    launch(sky)
    sky.deaf = {"down"}
    assert give_back(SkyProvider(sky, ending=60.0), [NAME], lambda line: None, patience=1.0) == [NAME]
    assert NAME in run("status")[1]


def test_a_cluster_that_ended_itself_is_said_once(sky: FakeSky, run: Run) -> None:
    launch(sky)
    sky.there.clear()
    assert f"note: {NAME} is gone: it ended itself" in run("status")[1]
    assert run("status") == (0, "nothing of this project is rented\n")


def test_the_books_know_that_a_killed_launch_ended_itself(sky: FakeSky, run: Run) -> None:
    begin("cluster", NAME)
    sky.books = [Spent(NAME, time.time(), 60.0, 0.01, "", alive=False)]
    assert f"{NAME} is gone" in run("status")[1]
    begin("cluster", "mesozoic-b")
    sky.books = [Spent("mesozoic-b", time.time() - 7200, 60.0, 0.01, "", alive=False)]  # an earlier one of the name
    assert "SkyPilot lists nothing of that name" in run("status")[1]


def test_nohup(sky: FakeSky) -> None:
    """A SIGHUP that is ignored stays ignored, and the launch goes on."""
    sky.launching = lambda name: os.kill(os.getpid(), signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        launch(sky)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert list(sky.there) == [NAME]


def test_a_closed_terminal_hears_nothing_and_all_is_ended_all_the_same(sky: FakeSky) -> None:
    def closed(line: str) -> None:
        raise OSError(5, "Input/output error")

    sky.launching = interrupted
    with pytest.raises(UserError, match="nothing of it is left running"):
        rent(sky, plan(), closed)
    assert sky.there == {}


def test_a_cluster_has_its_own_limit(sky: FakeSky) -> None:
    """Whatever limit it found on the machine."""
    sky.limit = 1
    launch(sky)
    assert sky.there[NAME].autostop_minutes == 5


def test_a_managed_job_is_listed_and_ended(sky: FakeSky, run: Run) -> None:
    launch(sky, managed=True)
    code, out = run("status")
    assert code == 0 and f"managed job 1  {NAME}  PENDING" in out
    assert [one["state"] for one in json.loads(run("status", "--json")[1])["managed_jobs"]] == ["PENDING"]
    assert run("down", NAME, "--yes")[0] == 0
    assert sky.managed[0].state == "CANCELLED"
    assert "nothing of this project is rented" in run("status")[1]


def killed_pool(sky: FakeSky) -> None:
    """What `kill -9` of `mesozoic cloud sweep --pool` leaves once its agents were submitted."""
    begin("pool", "mesozoic-sweep-1")
    sky.apply_pool("the task", "mesozoic-sweep-1", 2)
    begin("managed job", "mesozoic-sweep-1-agent")
    sky.submit_to_pool("the task", "mesozoic-sweep-1-agent", "mesozoic-sweep-1", 3)


def test_a_pool_and_its_agents_are_listed_and_ended(sky: FakeSky, run: Run) -> None:
    killed_pool(sky)
    sky.cluster("sky-jobs-controller-1234")
    code, out = run("status")
    assert code == 0 and "pool  mesozoic-sweep-1  READY" in out and "mesozoic-sweep-1-2 (READY)" in out
    assert out.count("mesozoic-sweep-1-agent") == 3
    assert "sky-jobs-controller-1234 (UP) is SkyPilot's own machine for managed jobs and pools, and is paid for" in out
    listed = json.loads(run("status", "--json")[1])
    assert (len(listed["pools"]), len(listed["managed_jobs"])) == (1, 3)
    code, out = run("down", "--all", "--yes")
    assert code == 0 and "no cluster, managed job or pool of this project is left" in out
    assert sky.pooled == {} and all(job.ended for job in sky.managed)
    assert list(sky.there) == ["sky-jobs-controller-1234"]


def test_a_controller_that_is_silent_hides_no_cluster(sky: FakeSky, run: Run) -> None:
    launch(sky)
    killed_pool(sky)
    run("status")
    sky.silent = {"managed_jobs", "pools"}
    code, out = run("status", "--json")
    listed = json.loads(out)
    assert code == 0 and [one["name"] for one in listed["clusters"]] == [NAME]
    assert {one["name"] for one in listed["unseen"]} == {"mesozoic-sweep-1", "mesozoic-sweep-1-agent"}
    assert "not everything could be listed" in listed["notes"][0]
    sky.silent = set()
    assert len(json.loads(run("status", "--json")[1])["pools"]) == 1  # nothing was taken for gone


def test_a_pool_is_ended_by_its_name(sky: FakeSky, run: Run) -> None:
    killed_pool(sky)
    assert run("down", "mesozoic-sweep-1", "--yes")[0] == 0
    assert sky.pooled == {} and all(job.ended for job in sky.managed) and open_launches() == {}


def test_workers_that_skypilot_could_not_end_are_said(sky: FakeSky, run: Run) -> None:
    begin("pool", "mesozoic-sweep-1")
    sky.pooled["mesozoic-sweep-1"] = Pool("mesozoic-sweep-1", "FAILED_CLEANUP", (("mesozoic-sweep-1-1", "FAILED"),))
    said: list[str] = []
    left = give_back(SkyProvider(sky), ["mesozoic-sweep-1"], said.append, patience=1.0)
    assert left == ["mesozoic-sweep-1"] and "mesozoic-sweep-1-1" in said[0] and "console" in said[0]


def test_a_later_cluster_of_another_project_is_left_alone(sky: FakeSky, run: Run) -> None:
    """It has a name that was once launched from here."""
    launch(sky)
    sky.there.clear()
    sky.cluster(NAME)  # another one
    for arguments in (["--all"], [NAME]):
        run("down", *arguments, "--yes")
        assert list(sky.there) == [NAME]
    assert f"{NAME} (UP) was not launched from here" in run("status")[1]


def test_a_later_managed_job_of_another_project_is_left_alone(sky: FakeSky, run: Run) -> None:
    launch(sky, managed=True)
    sky.cancel_managed([sky.managed[0].id])
    later = sky.launch_managed(None, NAME)
    for command in (["down", "--all"], ["down", NAME], ["cancel", NAME]):
        run(*command, "--yes")
        assert {job.id: job.state for job in sky.managed}[later] == "PENDING"


def test_what_another_project_launched_is_not_stopped(sky: FakeSky, run: Run) -> None:
    sky.cluster("somebody-elses")
    code, out = run("stop", "somebody-elses", "--yes")
    assert code == 2 and "was not launched from here" in out and "stop somebody-elses" not in sky.calls


def test_after_its_end_a_name_is_free(sky: FakeSky, run: Run) -> None:
    launch(sky)
    assert run("down", NAME, "--yes")[0] == 0
    sky.cluster(NAME)
    assert run("down", NAME, "--yes")[0] == 2
    assert run("down", "--all", "--yes")[0] == 0
    assert list(sky.there) == [NAME]


@pytest.mark.parametrize("command", ["down", "stop", "exec", "pull", "logs", "queue", "cancel"])
@pytest.mark.parametrize("name", ["m*", "mesozoic-tre?-1", "*", "[m]esozoic-trex-1", ""])
def test_a_pattern_is_no_name(sky: FakeSky, run: Run, command: str, name: str) -> None:
    launch(sky)
    before = list(sky.there.values())
    sky.calls.clear()
    code, out = run(command, name, *(["--yes"] if command in ("down", "stop", "cancel") else []))
    assert code == 2 and "is not a name, and patterns are not taken" in out
    assert list(sky.there.values()) == before and not {"down", "stop"} & {call.split()[0] for call in sky.calls}


def test_what_earlier_versions_noted_is_ours_too(sky: FakeSky, run: Run) -> None:
    write_ledger("launch", NAME, managed=False, price=1.0)
    write_ledger("up", NAME, placement="x")
    write_ledger("launch", "mesozoic-spot", managed=True)
    sky.cluster(NAME)
    sky.launch_managed(None, "mesozoic-spot")
    assert run("down", "--all", "--yes")[0] == 0
    assert sky.there == {} and sky.managed[0].ended
    assert [line["cluster"] for line in read_ledger() if line["event"] == "down"] == [
        NAME,
        "mesozoic-spot",
    ]
