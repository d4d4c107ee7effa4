"""A tuning job as an engine of sweeps: submitted once, found again, waited for, and its best trial handed on.

The real client against a loopback service. Its trials are a program that takes no time, which leaves what a trial does.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gcsfs", reason="needs the extra [vertex]")
pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator")

from support.mounted_bucket import mounted_bucket
from support.vertex_server import IMAGE, PROJECT, REGION, VertexServer

from mesozoic.cloud.ledger import VERTEX, open_launches
from mesozoic.cloud.vertex import provider, submission
from mesozoic.cloud.vertex.bucket import BucketFolder
from mesozoic.cloud.vertex.client import read_spec
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.machines import read_machine
from mesozoic.cloud.vertex.request import JobPlace
from mesozoic.cloud.vertex.tuning import Tuning, VertexStages, tuning_job
from mesozoic.cloud.vertex.tuning_files import SweepFiles
from mesozoic.errors import UserError
from mesozoic.sweep.plan import SweepPlan, SweepRequest, plan_sweep

BUCKET = "fossils"
SPACE = {
    "ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"},
    "ppo_n_epochs": {"type": "discrete", "values": [1, 2, 3]},
}
TRIAL = Path(__file__).with_name("quick_trial.py")


def plan_of(trials: int = 6, parallel: int = 2, **changes: Any) -> SweepPlan:
    values: dict[str, Any] = {"pruner": "none", "here": False, "timesteps": 100_000, **changes}
    return plan_sweep(
        SweepRequest("velociraptor", 1, text=json.dumps(SPACE), trials=trials, parallel=parallel, **values)
    )


class Google:
    """The service, the bucket, and what was said."""

    def __init__(self, server: VertexServer) -> None:
        self.server, self.said, self.notes = server, list[str](), list[dict[str, Any]]()
        self.folder = server.gcs / BUCKET / "sweeps" / "velociraptor"
        place = Place(PROJECT, REGION)
        bucket = BucketFolder(BUCKET)
        self.tuning = Tuning(
            files=SweepFiles(bucket / "sweeps/velociraptor"),
            where=JobPlace(place, bucket, IMAGE, read_machine("n1-standard-8", None)),
            delays=(0.1, 0.1, 0.1),
            every=0.1,
        )

    def trials_do(self, what: str) -> None:
        """What the image runs: see `quick_trial.py`."""
        self.server.images[IMAGE] = (sys.executable, str(TRIAL), what)

    def stages(self, resume: bool = True, **changes: Any) -> VertexStages:
        return VertexStages(replace(self.tuning, **changes), self.said.append, resume)

    def note(self, job: Any) -> None:
        self.notes.append(dict(job))

    def begin(self, stages: VertexStages, plan: SweepPlan) -> threading.Thread:
        """Sweep in the background; what it ends with is said."""

        def sweep() -> None:
            try:
                stages.sweep(plan, {}, self.note)
            except UserError as error:
                self.said.append(f"error: {error}")

        thread = threading.Thread(target=sweep)
        thread.start()
        return thread

    def hears(self, text: str, seconds: float = 30.0) -> bool:
        """Whether it is said in time."""
        deadline = time.monotonic() + seconds
        while not self.heard(text) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.heard(text)

    def heard(self, text: str) -> bool:
        return any(text in line for line in self.said)


@pytest.fixture
def google(server: VertexServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    for module in (submission, provider):
        monkeypatch.setattr(module, "BETWEEN", 0.1)
    with mounted_bucket(server.gcs, BUCKET) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        found = Google(server)
        found.trials_do("train")
        yield found


def test_the_best_of_six_trials_two_at_a_time(google: Google) -> None:
    """It is told from the measurements; its point is that of its own record, and the table has a row for each."""
    best = google.stages().sweep(plan_of(), {}, google.note)
    job = google.server.job()
    trials = list(job.proto.trials)
    assert len(trials) == 6 and job.proto.parallel_trial_count == 2
    values = {one.id: one.final_measurement.metrics[0].value for one in trials}
    assert best.trial == max(values, key=lambda one: values[one]) and best.value == values[best.trial]
    assert best.state == "budget" and set(best.point) == {"ppo.learning_rate", "ppo.n_epochs"}
    assert google.heard("succeeded, 6 of 6 trials over, 0 running, best")
    rows = (google.folder / "_stage1_results.csv").read_text().splitlines()
    assert len(rows) == 7 and rows[0].startswith("species,")
    assert [set(one) for one in google.notes] == [{"name", "launch"}, {"name", "launch", "resource"}]
    assert (
        str(google.stages().place("stage1/3/models/x.zip"))
        == f"/gcs/{BUCKET}/sweeps/velociraptor/stage1/3/models/x.zip"
    )


def test_a_job_that_runs_or_has_ended_well_is_taken_up_and_not_submitted_again(google: Google) -> None:
    """By what was noted before the service answered, by its name, and by its labels where nothing was noted."""
    google.stages().submit(plan_of(2), google.note)
    begun, known = google.notes
    for job in (begun, known, {}, {"resource": known["resource"].replace("1000", "9999")}):
        google.stages().sweep(plan_of(2), job, google.note)
    assert len(google.server.jobs) == 1 and google.heard("going on with tuning job mesozoic-velociraptor-stage1-")
    google.stages().sweep(plan_of(2, seed=5), {}, google.note)  # another search is another job
    assert len(google.server.jobs) == 2 and google.heard("earlier trials of stage 1 are kept in gs://fossils/sweeps/")
    assert (google.folder / "stage1.old1" / "1" / "trial.json").is_file()


def test_an_answer_that_is_lost_makes_no_second_job(google: Google) -> None:
    google.server.faults.add("lose", method="POST")
    google.stages().sweep(plan_of(2), {}, google.note)
    assert len(google.server.jobs) == 1 and google.heard("only the answer was lost")


def test_a_failing_service_is_tried_again_and_in_the_end_the_job_goes_on(google: Google) -> None:
    google.trials_do("sleep")
    google.server.faults.add("refuse", status=503, times=2, method="POST")
    stages = google.stages()
    job = stages.submit(plan_of(2), google.note)
    google.server.faults.add("refuse", status=500, times=3, method="GET", part=job.number)
    waiting = google.begin(stages, plan_of(2))
    assert google.hears("2 running") and google.heard("looking again in 0.1 s")
    google.server.faults.add("refuse", status=500, times=100, method="GET")
    waiting.join(30)
    assert google.heard("the job goes on at Vertex AI: run the same command to go on")
    assert not waiting.is_alive() and google.server.running() == [job.name]
    google.server.faults.clear()


def test_what_would_fail_again_is_not_tried_again(google: Google) -> None:
    google.server.faults.add("refuse", status=403, times=1, method="POST")
    with pytest.raises(UserError, match="not allowed"):
        google.stages().sweep(plan_of(2), {}, google.note)
    assert google.server.jobs == [] and not open_launches(VERTEX)


def test_a_trial_that_falls_silent_is_reported_once(google: Google) -> None:
    google.trials_do("sleep")
    google.tuning = replace(google.tuning, stuck=0.5)
    waiting = google.begin(google.stages(), plan_of(1))
    assert google.hears("trial 1 is stuck: no measurement for")
    assert google.heard("mesozoic vertex logs mesozoic-velociraptor-stage1-")
    time.sleep(1.0)
    assert sum("is stuck" in line for line in google.said) == 1
    google.tuning.client.cancel(google.server.job().proto.name)
    waiting.join(30)
    assert not waiting.is_alive() and google.heard("has ended: CANCELLED")


@pytest.mark.e2e
def test_a_trial_that_reports_is_not_stuck_though_the_service_does_not_show_it(google: Google) -> None:
    google.trials_do("slowly")
    google.server.early_measurements = False
    google.stages(stuck=5.0).sweep(plan_of(1), {}, google.note)
    assert not google.heard("is stuck")


def test_failing_trials_end_a_job_with_their_reason(google: Google) -> None:
    """Nothing was wrong with the service, so the ledger has nothing left; the same command begins the stage anew."""
    google.trials_do("fail")
    with pytest.raises(
        UserError, match=r"has ended: FAILED .*; see 'mesozoic vertex logs mesozoic-velociraptor-stage1-"
    ):
        google.stages(max_failed=2).sweep(plan_of(2), {}, google.note)
    assert "failed" in (google.folder / "_stage1_results.csv").read_text()
    google.trials_do("train")
    assert google.stages().sweep(plan_of(2), google.notes[-1], google.note).trial
    assert len(google.server.jobs) == 2


def test_the_best_trial_without_a_policy_does_not_win(google: Google) -> None:
    first = google.stages().sweep(plan_of(3), {}, google.note)
    (google.folder / "stage1" / first.trial / "models" / "stage1_final.zip").unlink()
    second = google.stages().sweep(plan_of(3), google.notes[-1], google.note)
    values = sorted(one.final_measurement.metrics[0].value for one in google.server.job().proto.trials)
    assert [second.value, first.value] == values[-2:]


def test_a_job_whose_trials_were_set_aside_by_a_later_one_is_not_taken_up(google: Google) -> None:
    """The folder has the later job's trials under the same numbers: their policies and points are another sweep's."""
    google.stages().sweep(plan_of(2), {}, google.note)
    first = dict(google.notes[-1])
    google.stages().sweep(plan_of(2, seed=5), {}, google.note)
    for job in (first, {}):
        best = google.stages().sweep(plan_of(2), job, google.note)
        newest = google.server.jobs[-1].proto.trials
        values = {one.id: one.final_measurement.metrics[0].value for one in newest}
        assert best.value == values[best.trial]
    assert len(google.server.jobs) == 3  # and the third one, whose trials are there, was taken up


def test_a_job_that_ended_well_without_a_policy_is_submitted_anew(google: Google) -> None:
    """Trials failed for good after a report: a success, for the service; the same command must not find it for ever."""
    google.trials_do("give up")
    with pytest.raises(UserError, match=r"no trial of .* ran to its end .*: it submits this stage anew"):
        google.stages().sweep(plan_of(2), {}, google.note)
    rows = (google.folder / "_stage1_results.csv").read_text().splitlines()[1:]
    assert len(rows) == 2 and all("failed" in row and "no such gait" in row for row in rows)
    google.trials_do("train")
    assert google.stages().sweep(plan_of(2), google.notes[-1], google.note).trial
    assert google.heard("submitting stage 1 anew") and len(google.server.jobs) == 2


def test_a_trial_that_failed_after_good_measurements_does_not_win(google: Google) -> None:
    google.trials_do("one gives up")
    best = google.stages().sweep(plan_of(3), {}, google.note)
    assert best.trial != "1" and best.state == "budget"


def test_of_two_jobs_submitted_at_one_moment_the_later_one_ends(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither saw the other before; their trials would write over each other, and both would bill."""
    google.trials_do("sleep")
    first = google.stages().submit(plan_of(), google.note)
    late = google.stages()
    monkeypatch.setattr(late, "_make_room", lambda plan: None)
    with pytest.raises(UserError, match=f"{first.name} was submitted into .* at the same moment"):
        late.submit(plan_of(seed=5), google.note)
    assert google.server.running() == [first.name] and list(open_launches(VERTEX)) == [first.name]


def test_two_jobs_never_write_into_one_folder(google: Google) -> None:
    google.trials_do("sleep")
    google.stages().submit(plan_of(), google.note)
    with pytest.raises(UserError, match=r"sweeps stage 1 into gs://fossils/sweeps/velociraptor already"):
        google.stages().submit(plan_of(seed=5), google.note)
    with pytest.raises(UserError, match="searches this already; leave --no-resume out"):
        google.stages(resume=False).sweep(plan_of(), {}, google.note)
    assert len(google.server.jobs) == 1


def test_another_machine_that_takes_a_job_up_knows_it_from_then_on(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.trials_do("sleep")
    job = google.stages().submit(plan_of(1), google.note)
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "another machine"))
    assert not open_launches(VERTEX)
    google.stages()._adopt(job)
    assert open_launches(VERTEX)[job.name].identity == job.resource


def test_what_is_sent_is_what_is_asked_for(google: Google) -> None:
    where = replace(google.tuning.where, spot=True, labels={"team": "raptors"})
    spec = tuning_job(plan_of(), replace(google.tuning, where=where, max_failed=3), "x", {"team": "raptors"})
    assert (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (6, 2, 3)
    trial = spec["trialJobSpec"]
    assert trial["scheduling"] == {"restartJobOnWorkerRestart": True, "strategy": "SPOT"}
    arguments = trial["workerPoolSpecs"][0]["containerSpec"]["args"]
    assert arguments[:2] == ["sweep", "trial"]
    assert arguments[-1] == f"--output-dir=/gcs/{BUCKET}/sweeps/velociraptor/stage1"
    assert read_spec("tuning job", spec).study_spec.metrics[0].metric_id == "score"
