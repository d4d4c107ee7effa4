"""Vertex AI's job service, as seen from here: create, get, list and cancel custom jobs and tuning jobs.

What is sent is a job in the JSON form of the service's REST interface (`{"displayName": ..., "jobSpec": {...}}`), so
that a dry run can print it without the google package. The package's own types read it, and refuse unknown fields.
Every request has a deadline and is sent once: who wants it again says so (see `submission`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesozoic.cloud.vertex.endpoint import DEADLINE, INSTALL, Place, address_of, credentials, elsewhere
from mesozoic.cloud.vertex.jobs import COLLECTIONS, Job, Kind, job_of, kind_of
from mesozoic.cloud.vertex.vertex_errors import plain_errors
from mesozoic.errors import UserError

_METHODS: dict[Kind, str] = {"custom job": "custom_job", "tuning job": "hyperparameter_tuning_job"}
_TYPES: dict[Kind, str] = {"custom job": "CustomJob", "tuning job": "HyperparameterTuningJob"}
_MORE: dict[Kind, str] = {"custom job": "custom_jobs", "tuning job": "hyperparameter_tuning_jobs"}
LABEL = "created-by"
"""The label that all our jobs carry, with `MESOZOIC` as its value."""
MESOZOIC = "mesozoic"
LAUNCH = "launch"
"""The label that tells one launch from all others, also where its answer was lost and another job has its name."""


class VertexClient:
    """The jobs of one project in one region. Every method may raise `VertexError`; `Transient` if it may pass.

    Args:
        deadline: seconds after which a request counts as not answered.

    Raises:
        UserError: google-cloud-aiplatform is not installed, or Google knows nobody here.
    """

    def __init__(self, place: Place, deadline: float = DEADLINE) -> None:
        self.place, self._deadline = place, deadline
        try:
            from google.cloud.aiplatform_v1.services.job_service import JobServiceClient
        except ImportError:
            raise UserError(INSTALL) from None
        address = address_of(f"{place.region}-aiplatform")
        # REST, not gRPC: the only one that speaks with a plain local server, so what is tested is what runs.
        self._jobs: Any = JobServiceClient(
            credentials=credentials(),
            transport="rest",
            client_options={"api_endpoint": address if elsewhere() else address.removeprefix("https://")},
        )

    def create(self, kind: Kind, spec: Mapping[str, Any]) -> Job:
        """Submit a job; what the service made of it.

        Args:
            spec: JSON of a `CustomJob` or a `HyperparameterTuningJob`.
        """
        call = self._call("create", kind)
        with plain_errors(f"submit {spec.get('displayName')}"):
            return _record(call(parent=self.place.parent, **{_METHODS[kind]: read_spec(kind, spec)}, **self._limits))

    def get(self, resource: str) -> Job:
        """A job by the service's name of it.

        Raises:
            Missing: there is none.
        """
        with plain_errors(f"look at {resource}"):
            return _record(self._call("get", kind_of(resource))(name=resource, **self._limits))

    def jobs(
        self, name: str = "", kinds: Sequence[Kind] = tuple(COLLECTIONS), ours: bool = True, launch: str = ""
    ) -> list[Job]:
        """Jobs, the newest first: all, or those of a display name.

        Args:
            ours: only those that carry our label.
            launch: only those of this launch; see `LAUNCH`.
        """
        wanted = [f'display_name="{name}"'] * bool(name) + [f'labels.{LABEL}="{MESOZOIC}"'] * ours
        wanted += [f'labels.{LAUNCH}="{launch}"'] * bool(launch)
        found: list[Job] = []
        with plain_errors(f"list the jobs of {self.place.project}"):
            for kind in kinds:
                found += self._listed(kind, " AND ".join(wanted))
        return sorted(found, key=lambda job: -(job.created or 0.0))

    def cancel(self, resource: str) -> None:
        """Ask for the end of a job; of one that has ended too. It does not wait for it."""
        with plain_errors(f"cancel {resource}"):
            self._call("cancel", kind_of(resource))(name=resource, **self._limits)

    @property
    def _limits(self) -> dict[str, Any]:
        return {"timeout": self._deadline, "retry": None}

    def _call(self, verb: str, kind: Kind) -> Any:
        return getattr(self._jobs, f"{verb}_{_METHODS[kind]}")

    def _listed(self, kind: Kind, wanted: str) -> Iterator[Job]:
        call = getattr(self._jobs, f"list_{_MORE[kind]}")
        for one in call(request={"parent": self.place.parent, "filter": wanted, "page_size": 100}, **self._limits):
            yield _record(one)


def read_spec(kind: Kind, spec: Mapping[str, Any]) -> Any:
    """The JSON of a job as the package's own type, which refuses a field that it does not have.

    Raises:
        UserError: google-cloud-aiplatform is not installed.
        google.protobuf.json_format.ParseError: a fault of ours.
    """
    try:
        from google.cloud.aiplatform_v1 import types
    except ImportError:
        raise UserError(INSTALL) from None
    return getattr(types, _TYPES[kind]).from_json(json.dumps(spec))


def _record(message: Any) -> Job:
    from google.protobuf import json_format

    return job_of(json_format.MessageToDict(message._pb))
