"""Nothing bills unseen on Vertex AI either: a job is noted first, then found, taken over or ended, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.vertex_server import PROJECT, VertexServer
from support.vertex_work import within
from vertex_specs import shell_job, shell_tuning

from mesozoic.cloud.ledger import begin, open_launches
from mesozoic.cloud.vertex import provider, submission
from mesozoic.cloud.vertex.client import LAUNCH, VertexClient
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.jobs import Job, Kind
from mesozoic.cloud.vertex.submission import our_labels, read_delays, submit
from mesozoic.errors import UserError

Run = Callable[..., tuple[int, str]]
CREATE = {"method": "POST", "part": "Jobs"}


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "BETWEEN", 0.05)
    monkeypatch.setattr(submission, "BETWEEN", 0.05)


def send(
    client: VertexClient,
    name: str = "mesozoic-dig",
    script: str = "exec sleep 60",
    kind: Kind = "custom job",
    **more: Any,
) -> Job:
    spec = shell_job(name, script) if kind == "custom job" else shell_tuning(name, script)
    spec["labels"] = our_labels()
    said: list[str] = []
    options = {"delays": (0.05, 0.05), "patience": 2.0, "price": 0.5, "offer": "n1-standard-4", **more}
    return submit(client, kind, spec, said.append, **options)


@pytest.mark.parametrize("kind", ["custom job", "tuning job"])
def test_a_job_is_seen_and_ended_by_the_commands_for_everything(
    server: VertexServer, client: VertexClient, run: Run, kind: Kind
) -> None:
    job = send(client, kind=kind)
    assert within(10, lambda: server.job().state == "RUNNING")
    code, out = run("cloud", "status")
    assert code == 0 and f"{kind} {job.number}" in out and "mesozoic-dig" in out and "$0.50/h" in out
    code, out = run("cloud", "down", "--all", "--yes")
    assert code == 0 and "mesozoic-dig is down" in out and "checked with Vertex AI: no custom job or tuning job" in out
    assert server.job().state == "CANCELLED" and open_launches() == {}
    code, out = run("cloud", "cost", "--spent")
    assert code == 0 and "mesozoic-dig" in out and "by the books of Vertex AI" in out


def test_a_job_whose_labels_were_changed_is_ended_and_no_other_one(
    server: VertexServer, client: VertexClient, run: Run
) -> None:
    """It is known by the service's name of it; a launch without a label of its own means no other job of ours."""
    other = send(client, "mesozoic-other")
    job = send(client)
    server.job("mesozoic-dig").proto.labels.clear()
    begin("custom job", "mesozoic-old", project=PROJECT, region="us-central1", launch="")
    for name in ("dig", "old"):
        code, out = run("cloud", "down", name, "--yes")
        assert code == 0 and f"mesozoic-{name} is down" in out, out
    assert client.get(job.resource).state == "CANCELLED" and not client.get(other.resource).ended


def test_it_is_in_the_ledger_before_it_is_asked_for(
    server: VertexServer, client: VertexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    create = client.create

    def look_first(kind: Kind, spec: Any) -> Job:
        noted.extend(open_launches())
        return create(kind, spec)

    monkeypatch.setattr(client, "create", look_first)
    send(client)
    assert noted == ["mesozoic-dig"]


def test_a_ledger_that_cannot_be_written_means_that_nothing_is_submitted(
    server: VertexServer, client: VertexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", "/dev/full/nowhere")
    with pytest.raises(UserError, match="nothing was rented: free the disk"):
        send(client)
    assert server.jobs == []


@pytest.mark.parametrize("late", [0, 2])
@pytest.mark.parametrize("fault", [{"kind": "lose"}, {"kind": "hold"}])
def test_a_job_whose_answer_was_lost_is_taken_over(
    server: VertexServer, client: VertexClient, fault: dict[str, Any], late: int
) -> None:
    """Also where it is missing from the first lists after that."""
    client = VertexClient(client.place, deadline=0.5)
    server.faults.add(**fault, **CREATE)
    server.faults.hidden_looks = late
    job = send(client)
    assert [one.proto.name for one in server.jobs] == [job.resource]
    assert open_launches()["mesozoic-dig"].identity == job.resource


def test_quota_is_waited_for(server: VertexServer, client: VertexClient) -> None:
    server.faults.add("refuse", status=429, times=2, **CREATE)
    assert send(client).name == "mesozoic-dig" and len(server.jobs) == 1


@pytest.mark.parametrize(
    ("status", "tries", "said"),
    [(403, 1, "not allowed"), (400, 1, "could not submit"), (429, 3, "no quota just now"), (500, 3, "service failed")],
)
def test_what_cannot_be_submitted_is_one_sentence_and_leaves_nothing(
    server: VertexServer, client: VertexClient, run: Run, status: int, tries: int, said: str
) -> None:
    server.faults.add("refuse", status=status, times=99, message="no", **CREATE)
    with pytest.raises(UserError, match=rf"{said}.*checked: nothing of it is left running") as caught:
        send(client)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert server.jobs == [] and open_launches() == {} and run("cloud", "status")[1].startswith("nothing of this")
    asked = [one for one in server.faults.met if one.startswith("POST")]
    assert len(asked) == tries


def test_a_service_that_fails_for_long_is_named_and_what_may_be_left_is_shown(
    server: VertexServer, client: VertexClient, run: Run
) -> None:
    """The job was taken, and then nothing is answered any more: what cannot be known is said, and found later."""
    server.faults.add("lose", **CREATE)
    server.faults.add("refuse", status=500, times=40, part="Jobs", method="GET")
    looks = VertexClient(client.place)
    client.jobs = lambda name="", **more: [] if name else looks.jobs(name, **more)  # type: ignore[method-assign]  # the name is free
    with pytest.raises(UserError, match=r"could NOT be confirmed.*mesozoic cloud down mesozoic-dig") as caught:
        send(client, patience=0.1)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert "NO ANSWER" in run("cloud", "status")[1]
    server.faults.clear()
    assert "mesozoic-dig" in run("cloud", "status")[1]
    assert run("cloud", "down", "--all", "--yes")[0] == 0
    assert server.job().ended and open_launches() == {}


def test_ctrl_c_between_the_request_and_its_answer(
    server: VertexServer, client: VertexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = client.create

    def pressed(kind: Kind, spec: Any) -> Job:
        create(kind, spec)
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "create", pressed)
    server.faults.hidden_looks = 2
    with pytest.raises(UserError, match=r"interrupted.*nothing of it is left") as caught:
        send(client)
    assert caught.value.exit_code == 130 and server.job().ended and open_launches() == {}


KILLED = """
import sys
from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.submission import our_labels, submit
from vertex_specs import shell_job
spec = shell_job("mesozoic-dig", "exec sleep 60") | {"labels": our_labels()}
submit(VertexClient(Place(sys.argv[1])), "custom job", spec, print)
"""


def test_a_command_that_is_killed_before_the_answer_leaves_a_job_that_is_seen(
    server: VertexServer, run: Run, request: pytest.FixtureRequest
) -> None:
    server.faults.add("hold", **CREATE)
    paths = [str(request.path.parent), str(request.path.parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen([sys.executable, "-P", "-c", KILLED, PROJECT], env=environment)
    try:
        assert within(60, lambda: bool(server.jobs))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert "mesozoic-dig" in run("cloud", "status")[1]
    assert run("cloud", "down", "mesozoic-dig", "--yes")[0] == 0
    assert server.job().ended and "nothing of this project" in run("cloud", "status")[1]


def test_a_launch_that_never_arrived_is_looked_for_and_forgotten(server: VertexServer, run: Run) -> None:
    begin("custom job", "mesozoic-lost", project=PROJECT, region="us-central1", launch="abc")
    assert "ASKED FOR" in run("cloud", "status")[1]
    assert run("cloud", "down", "--all", "--yes")[0] == 0 and open_launches() == {}


def test_a_job_that_has_ended_is_news_once(server: VertexServer, client: VertexClient, run: Run) -> None:
    send(client, script="exit 4")
    server.wait("mesozoic-dig")
    out = run("cloud", "status")[1]
    assert "mesozoic-dig has ended: FAILED" in out and "status of 4" in out and "mesozoic vertex logs" in out
    assert run("cloud", "status")[1] == "nothing of this project is rented\n"


def test_a_second_job_of_a_name_is_refused_while_the_first_goes_on(server: VertexServer, client: VertexClient) -> None:
    send(client)
    with pytest.raises(UserError, match="already; give another --name"):
        send(client)
    assert len(server.jobs) == 1


def test_two_launches_never_have_one_label() -> None:
    assert our_labels({"team": "dig"})["team"] == "dig" and our_labels()[LAUNCH] != our_labels()[LAUNCH]


@pytest.mark.parametrize("text", ["soon", "60;180", "-1", "1e99"])
def test_delays_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="--retry-after"):
        read_delays(text)
    assert read_delays("60, 180") == (60, 180) and read_delays("") == ()


def test_nobody_is_asked_where_nothing_was_submitted(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """`cloud status` of somebody who uses SkyPilot alone needs no Google account."""
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr(provider, "VertexClient", None)
    assert run("cloud", "status") == (0, "nothing of this project is rented\n")
    with pytest.raises(TypeError):
        provider.VertexProvider().client(open_launches_of_one())


def open_launches_of_one() -> Any:
    begin("custom job", "mesozoic-one", project=PROJECT, region=Place(PROJECT).region, launch="abc")
    return open_launches()["mesozoic-one"]
