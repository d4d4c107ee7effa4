"""The real client of Vertex AI against the loopback server: jobs and trials run, restart, end, are listed and found."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.vertex_server import PROJECT, VertexServer
from support.vertex_work import within
from vertex_specs import shell_job, shell_tuning

from mesozoic.cloud.vertex.client import VertexClient, read_spec
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.vertex_errors import Missing, Quota, Transient, Unanswered, VertexError

REPORT = (
    'mkdir -p "$(dirname "$CLOUD_ML_HP_METRIC_FILE")"; x=${1#--x=};'
    ' echo "{\\"score\\": \\"$x\\", \\"global_step\\": \\"10\\"}" > "$CLOUD_ML_HP_METRIC_FILE"'
)


def test_a_custom_job_runs_in_the_folder_of_the_bucket(server: VertexServer, client: VertexClient) -> None:
    script = "mkdir -p /gcs/bones && echo $CLOUD_ML_JOB_ID > /gcs/bones/id"
    job = client.create("custom job", shell_job("dig", script))
    assert (job.name, job.kind, job.state) == ("dig", "custom job", "PENDING")
    assert server.wait("dig") == "SUCCEEDED"
    assert (server.gcs / "bones" / "id").read_text().strip() == job.number
    seen = client.get(job.resource)
    assert seen.ended and seen.started is not None and seen.finished is not None and seen.finished >= seen.started


def test_a_job_that_fails_says_why(server: VertexServer, client: VertexClient) -> None:
    job = client.create("custom job", shell_job("dig", "exit 3"))
    assert server.wait("dig") == "FAILED"
    assert "status of 3" in client.get(job.resource).error


def test_a_machine_that_is_taken_away_is_replaced_only_if_the_job_says_so(
    server: VertexServer, client: VertexClient, tmp_path: Path
) -> None:
    script = (
        f"trap 'exit 143' TERM; echo up >> {tmp_path}/$0; while [ $(wc -l < {tmp_path}/$0) -lt 2 ]; do sleep 0.05; done"
    )
    for again in (True, False):
        name = f"again-{again}".lower()
        spec = shell_job(name, script.replace("$0", name), restartJobOnWorkerRestart=again)
        client.create("custom job", spec)
        assert within(10, (tmp_path / name).exists)
        server.preempt(name)
        assert server.wait(name, 10) == ("SUCCEEDED" if again else "FAILED")


def test_jobs_are_found_by_name_and_label(server: VertexServer, client: VertexClient) -> None:
    for name in ("one", "two"):
        client.create("custom job", shell_job(name, "true"))
    stranger = shell_job("two", "true") | {"labels": {}}
    client.create("custom job", stranger)
    client.create("tuning job", shell_tuning("two", REPORT))
    assert sorted((job.name, job.kind) for job in client.jobs()) == [
        ("one", "custom job"),
        ("two", "custom job"),
        ("two", "tuning job"),
    ]
    assert len(client.jobs("two", ours=False)) == 3 and client.jobs("three") == []


def test_a_tuning_job_runs_its_trials_in_parallel_and_tells_what_they_reported(
    server: VertexServer, client: VertexClient
) -> None:
    job = client.create("tuning job", shell_tuning("tune", f"{REPORT}; sleep 0.3", trials=5))
    most = 0
    end = time.monotonic() + 30
    while not client.get(job.resource).ended and time.monotonic() < end:
        most = max(most, sum(one.state == "ACTIVE" for one in client.get(job.resource).trials))
    done = client.get(job.resource)
    assert done.state == "SUCCEEDED" and most == 2
    assert [one.id for one in done.trials] == ["1", "2", "3", "4", "5"]
    for trial in done.trials:
        assert trial.final is not None and trial.final.step == 10
        assert trial.final.metrics["score"] == pytest.approx(trial.parameters["x"])


def test_a_tuning_job_ends_after_so_many_failed_trials(server: VertexServer, client: VertexClient) -> None:
    job = client.create("tuning job", shell_tuning("tune", "exit 1", trials=9, maxFailedTrialCount=2))
    assert server.wait("tune") == "FAILED"
    trials = client.get(job.resource).trials
    assert {one.state for one in trials} == {"INFEASIBLE"} and len(trials) < 9 and trials[0].reason


def test_the_median_stops_a_hopeless_trial(server: VertexServer, client: VertexClient) -> None:
    """The first two end well; the third reports less than their median and would go on for ever."""
    value = 'v=$([ "$CLOUD_ML_TRIAL_ID" = 3 ] && echo 0 || echo 1)'
    script = f"{value}; {REPORT.replace('$x', '$v')}; [ $v = 1 ] || exec sleep 60"
    study = {"medianAutomatedStoppingSpec": {"useElapsedDuration": False}}
    job = client.create("tuning job", shell_tuning("tune", script, parallel=1, study=study))
    assert server.wait("tune", 15) == "SUCCEEDED"
    assert [one.state for one in client.get(job.resource).trials] == ["SUCCEEDED"] * 3


def test_cancelling_ends_the_processes(server: VertexServer, client: VertexClient) -> None:
    custom = client.create("custom job", shell_job("dig", "exec sleep 60"))
    tuning = client.create("tuning job", shell_tuning("tune", "exec sleep 60"))
    assert within(10, lambda: server.job("dig").state == server.job("tune").state == "RUNNING")
    for job in (custom, tuning):
        client.cancel(job.resource)
        assert server.wait(job.name, 10) == "CANCELLED"
        client.cancel(job.resource)  # of one that has ended it is no error


@pytest.mark.parametrize("field", ["displayname", "restartJob", "jobSpec.scheduling.retries"])
def test_a_field_that_vertex_does_not_have_is_refused_before_it_is_sent(field: str) -> None:
    from google.protobuf.json_format import ParseError

    spec = shell_job("dig", "true")
    *parents, last = field.split(".")
    inner = spec
    for parent in parents:
        inner = inner[parent]
    inner[last] = 1
    with pytest.raises(ParseError, match=last):
        read_spec("custom job", spec)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (429, Quota, "no quota just now"),
        (403, VertexError, "roles/aiplatform.user"),
        (500, Unanswered, "the service failed"),
        (503, Unanswered, "the service failed"),
    ],
)
def test_what_the_service_refuses_is_one_sentence(
    server: VertexServer, client: VertexClient, status: int, kind: type[VertexError], said: str
) -> None:
    server.faults.add("refuse", status=status)
    with pytest.raises(VertexError, match=said) as caught:
        client.create("custom job", shell_job("dig", "true"))
    assert isinstance(caught.value, Transient) == (kind is not VertexError) and type(caught.value) is kind
    assert "http" not in str(caught.value).replace("https://console", "") and "\n" not in str(caught.value)
    assert client.create("custom job", shell_job("dig", "true")).name == "dig"


def test_a_silent_service_is_given_up_on(server: VertexServer) -> None:
    server.faults.add("silent", times=3)
    client = VertexClient(Place(PROJECT), deadline=0.5)
    began = time.monotonic()
    for ask in (lambda: client.jobs(), lambda: client.create("custom job", shell_job("dig", "true"))):
        with pytest.raises(Unanswered, match="no answer"):
            ask()
    assert time.monotonic() - began < 5


def test_an_answer_that_is_lost_may_mean_that_the_job_is_there(server: VertexServer, client: VertexClient) -> None:
    server.faults.add("lose", method="POST")
    with pytest.raises(Unanswered) as caught:
        client.create("custom job", shell_job("dig", "true"))
    assert caught.value.taken and [job.name for job in client.jobs("dig")] == ["dig"]


def test_a_job_that_is_not_there(server: VertexServer, client: VertexClient) -> None:
    with pytest.raises(Missing, match="customJobs/7"):
        client.get(f"{client.place.parent}/customJobs/7")


def test_a_clock_that_is_wrong_is_named_as_the_reason(server: VertexServer, client: VertexClient) -> None:
    server.faults.clock_ahead = 7200
    server.faults.add("refuse", status=401, message="Invalid JWT: check your iat and exp values")
    with pytest.raises(VertexError, match=r"clock is 120 min behind Google's.*timedatectl"):
        client.jobs()
    server.faults.clock_ahead = 0
    server.faults.add("refuse", status=401)
    with pytest.raises(VertexError, match="gcloud auth application-default login"):
        client.jobs()
