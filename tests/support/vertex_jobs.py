"""Jobs of the loopback Vertex server: a custom job is one container, a tuning job has one for each trial."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import CustomJob, HyperparameterTuningJob, JobState, Trial
from support.vertex_tuning import Points, arguments, final, is_hopeless, now, read_measurements, wrong_with
from support.vertex_work import Container

if TYPE_CHECKING:
    from support.vertex_server import VertexServer

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
NOT_FOUND = "The image '{}' could not be pulled: not found, or the service agent may not read it."


class Run:
    """What both kinds of job share. `shown`: how often somebody asked for it."""

    def __init__(self, server: VertexServer, name: str, proto: Any) -> None:
        self.server, self.proto = server, proto
        self.proto.name = name
        self.shown = self.hidden_looks = 0
        self._created = time.monotonic()
        self._set(JobState.JOB_STATE_PENDING)
        self._stamp("create_time")

    @property
    def state(self) -> str:
        return str(JobState(self.proto.state).name).removeprefix("JOB_STATE_")

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def folder(self) -> Path:
        return self.server.folder / "jobs" / str(self.proto.name).rpartition("/")[2]

    def shown_proto(self) -> Any:
        return self.proto

    def wrong(self) -> str:
        """What the service refuses of it; empty: nothing."""
        raise NotImplementedError

    def container(self, trial: str | None) -> Container:
        raise NotImplementedError

    def begin(self) -> None:
        raise NotImplementedError

    def move_on(self) -> None:
        """Take in what happened since."""
        if self.ended:
            return
        if self.state == "PENDING" and time.monotonic() - self._created >= self.server.pending:
            image = self.container_spec.image_uri
            if image not in self.server.images:
                self._end("FAILED", 5, NOT_FOUND.format(image))
                return
            self._set(JobState.JOB_STATE_RUNNING)
            self._stamp("start_time")
            self.begin()
        elif self.state != "PENDING":
            self.go_on()

    def go_on(self) -> None:
        raise NotImplementedError

    def cancel(self) -> None:
        if self.state == "PENDING":
            self._end("CANCELLED")
        elif not self.ended:
            self._set(JobState.JOB_STATE_CANCELLING)
            self.leave()

    def leave(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    @property
    def job_spec(self) -> Any:
        raise NotImplementedError

    @property
    def container_spec(self) -> Any:
        return self.job_spec.worker_pool_specs[0].container_spec

    def make_container(self, folder: Path, more: list[str], environment: dict[str, str], disk: dict[str, str]) -> Any:
        """A container of this job's spec."""
        spec, scheduling = self.container_spec, self.job_spec.scheduling
        own = {one.name: one.value for one in spec.env}
        words = [*(spec.command or self.server.images[spec.image_uri]), *spec.args, *more]
        given = {"CLOUD_ML_JOB_ID": self.proto.name.rpartition("/")[2], **environment, **own}
        again = scheduling.restart_job_on_worker_restart and not scheduling.disable_retries
        return Container(
            [self.server.local(word) for word in words],
            {**self.server.environment_of_a_job(), **{key: self.server.local(value) for key, value in given.items()}},
            folder,
            self.server.restarts if again else 0,
            disk,
        )

    def outputs(self, below: str = "") -> dict[str, str]:
        """The AIP_ variables."""
        base = self.job_spec.base_output_directory.output_uri_prefix
        if not base:
            return {}
        base = f"{base.rstrip('/')}/{below}"
        names = {"AIP_MODEL_DIR": "model", "AIP_CHECKPOINT_DIR": "checkpoints", "AIP_TENSORBOARD_LOG_DIR": "logs"}
        return {name: f"{base}{folder}/" for name, folder in names.items()}

    def _end(self, state: str, code: int = 0, message: str = "") -> None:
        self._set(JobState[f"JOB_STATE_{state}"])
        if message:
            self.proto.error = {"code": code, "message": message}
        self._stamp("end_time")

    def _set(self, state: JobState) -> None:
        self.proto.state = state
        self._stamp("update_time")

    def _stamp(self, field: str) -> None:
        getattr(self.proto._pb, field).FromJsonString(now())


class CustomRun(Run):
    """A custom job."""

    proto: CustomJob

    def __init__(self, server: VertexServer, name: str, body: bytes) -> None:
        super().__init__(server, name, CustomJob.from_json(body.decode()))
        self._container: Container | None = None

    def wrong(self) -> str:
        return wrong_with_job(self.proto.display_name, self.job_spec)

    @property
    def job_spec(self) -> Any:
        return self.proto.job_spec

    def container(self, trial: str | None) -> Container:
        assert self._container is not None, "it has no machine yet"
        return self._container

    def begin(self) -> None:
        self._container = self.make_container(self.folder, [], self.outputs(), {})
        self._container.start()

    def go_on(self) -> None:
        box = self.container(None)
        box.look()
        if box.code is None:
            return
        if self.state == "CANCELLING":
            self._end("CANCELLED")
        elif box.code == 0:
            self._end("SUCCEEDED")
        else:
            self._end("FAILED", 3, f"The replica workerpool0-0 exited with a non-zero status of {box.code}.")

    def leave(self) -> None:
        self.container(None).leave()

    def kill(self) -> None:
        if self._container is not None:
            self._container.kill()


class TuningRun(Run):
    """A hyperparameter tuning job."""

    proto: HyperparameterTuningJob

    def __init__(self, server: VertexServer, name: str, body: bytes) -> None:
        super().__init__(server, name, HyperparameterTuningJob.from_json(body.decode()))
        self._points = None if self.wrong() else Points(self.proto.study_spec, server.seed)
        self._exhausted = False
        self.containers: dict[str, Container] = {}

    def wrong(self) -> str:
        most, parallel = self.proto.max_trial_count, self.proto.parallel_trial_count
        if most < 1 or parallel < 1:
            return "max_trial_count and parallel_trial_count must be positive."
        if parallel > most:
            return "parallel_trial_count must not exceed max_trial_count."
        return wrong_with(self.proto.study_spec) or wrong_with_job(self.proto.display_name, self.job_spec)

    @property
    def job_spec(self) -> Any:
        return self.proto.trial_job_spec

    def container(self, trial: str | None) -> Container:
        return self.containers[trial or next(iter(self.containers))]

    def shown_proto(self) -> Any:
        if self.server.early_measurements:
            return self.proto
        shown = HyperparameterTuningJob(self.proto)
        for trial in shown.trials:
            if trial.state == Trial.State.ACTIVE:
                trial.measurements = []
        return shown

    def begin(self) -> None:
        self.go_on()

    def go_on(self) -> None:
        for trial in self.proto.trials:
            if trial.id in self.containers and trial.state in (Trial.State.ACTIVE, Trial.State.STOPPING):
                self._look_at(trial)
        active = [one for one in self.proto.trials if one.state in (Trial.State.ACTIVE, Trial.State.STOPPING)]
        failed = sum(one.state == Trial.State.INFEASIBLE for one in self.proto.trials)
        if self.state == "CANCELLING":
            if not active:
                self._end("CANCELLED")
            return
        if self.proto.max_failed_trial_count and failed >= self.proto.max_failed_trial_count:
            for box in self.containers.values():
                box.leave()
            if not active:
                self._end("FAILED", 3, f"{failed} trials failed, which is max_failed_trial_count.")
            return
        while len(active) < self.proto.parallel_trial_count and len(self.proto.trials) < self.proto.max_trial_count:
            point = None if self._exhausted or self._points is None else self._points.next()
            if point is None:
                self._exhausted = True
                break
            active.append(self._new_trial(point))
        if not active:
            if failed == len(self.proto.trials):
                self._end("FAILED", 3, "All trials failed.")
            else:
                self._end("SUCCEEDED")

    def _new_trial(self, point: dict[str, Any]) -> Any:
        number = str(len(self.proto.trials) + 1)
        shown = [{"parameterId": name, "value": value} for name, value in point.items()]
        trial = Trial.from_json(_json({"id": number, "state": "ACTIVE", "startTime": now(), "parameters": shown}))
        self.proto.trials.append(trial)
        environment = {"CLOUD_ML_TRIAL_ID": number, **self.outputs(f"{number}/")}
        disk = {"CLOUD_ML_HP_METRIC_FILE": "hypertune/output.metrics"}
        box = self.make_container(self.folder / f"trial{number}", arguments(point), environment, disk)
        self.containers[number] = box
        box.start()
        return self.proto.trials[-1]

    def _look_at(self, trial: Any) -> None:
        box, study = self.containers[trial.id], self.proto.study_spec
        box.look()
        found = read_measurements(box.file("CLOUD_ML_HP_METRIC_FILE"), study.metrics[0].metric_id)
        if found:
            trial.measurements = [type(trial.final_measurement).from_json(_json(one)) for one in found]
        if box.code is None:
            if trial.state == Trial.State.ACTIVE and is_hopeless(trial, list(self.proto.trials), study):
                trial.state = Trial.State.STOPPING
                box.leave()
            return
        stopped = trial.state == Trial.State.STOPPING
        if found and (box.code == 0 or stopped) and self.state != "CANCELLING":
            trial.state = Trial.State.SUCCEEDED
            trial.final_measurement = type(trial.final_measurement).from_json(_json(final(found, study)))
        else:
            trial.state = Trial.State.INFEASIBLE
            reported = "" if found else " and reported no measurement"
            trial.infeasible_reason = f"The trial ended with {box.code}{reported}."
        trial._pb.end_time.FromJsonString(now())

    def leave(self) -> None:
        for box in self.containers.values():
            box.leave()

    def kill(self) -> None:
        for box in self.containers.values():
            box.kill()


def _json(content: Any) -> str:
    import json

    return json.dumps(content)


LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")


def wrong_with_labels(labels: Any) -> str:
    """What the service refuses of labels."""
    for key, value in labels.items():
        if not LABEL[0].fullmatch(key) or not LABEL[1].fullmatch(value):
            return f"Label {key}={value} is invalid: lowercase letters, digits, _ and -, 63 at most."
    return "" if len(labels) <= 64 else "Too many labels."


def wrong_with_job(name: str, spec: Any) -> str:
    """What the service refuses of a job."""
    if not name or len(name) > 128:
        return "display_name is required, with 128 characters at most."
    if not spec.worker_pool_specs:
        return "CustomJobSpec.worker_pool_specs must not be empty."
    for pool in spec.worker_pool_specs:
        machine = pool.machine_spec
        if not pool.container_spec.image_uri:
            return "ContainerSpec.image_uri is required."
        if pool.replica_count < 1 or not machine.machine_type:
            return "replica_count and machine_spec.machine_type are required."
        if bool(machine.accelerator_type) != (machine.accelerator_count > 0):
            return "accelerator_type and accelerator_count must both be set, or neither."
        if machine.machine_type.startswith(("a2-", "a3-", "g2-")) and not machine.accelerator_type:
            return f"Machine type {machine.machine_type} needs its accelerator."
    base = spec.base_output_directory.output_uri_prefix
    if base and not re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]+(/.*)?", base):
        return f"base_output_directory {base} is not a Cloud Storage path."
    return ""


def matches(proto: Any, text: str) -> bool:
    """Whether a job fits a filter; of its language, terms with = or != joined by AND are spoken here."""
    from support.vertex_http import Refused

    for term in filter(None, re.split(r"\s+AND\s+", text)):
        found = re.fullmatch(r'(display_name|displayName|state|labels\.[a-z0-9_-]+)\s*(!?=)\s*"?([^"]*)"?', term)
        if found is None:
            raise Refused(400, f"Invalid filter: {text}")
        field, sign, value = found.groups()
        if field == "state":
            seen = JobState(proto.state).name
        elif field.startswith("labels."):
            seen = proto.labels.get(field.removeprefix("labels."), "")
        else:
            seen = proto.display_name
        if (seen == value) != (sign == "="):
            return False
    return True
