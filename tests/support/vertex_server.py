"""A loopback server that speaks as much of Vertex AI as mesozoic needs, for the real google-cloud-aiplatform client.

It parses requests with the SDK's own types, refuses fields that these do not have, and really runs every job and trial
as a process. What a job calls `/gcs/BUCKET/...` is a folder here: `gcs/BUCKET/...`.

In a test: `with VertexServer(tmp_path) as server`, a client with `server.environment()`, then `server.jobs`,
`server.preempt(name)`, and `server.faults` for what goes wrong. On its own, from the checkout:
`PYTHONPATH=tests:. python -m support.vertex_server --folder DIR`, with the folder of the buckets in VERTEX_SERVER_GCS;
it prints what a client needs.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.vertex_faults import Faults
from support.vertex_google import Google
from support.vertex_http import Refused, handler_for
from support.vertex_jobs import CustomRun, Run, TuningRun, matches, wrong_with_labels
from support.vertex_work import within

PROJECT, REGION, IMAGE = "dig-site", "us-central1", "us-central1-docker.pkg.dev/dig-site/mesozoic/mesozoic:test"
ENTRY = (sys.executable, "-m", "mesozoic")
"""What the image runs."""
KINDS = {"customJobs": CustomRun, "hyperparameterTuningJobs": TuningRun}


class VertexServer:
    """The state, a thread that moves the jobs on, and the HTTP server in another one.

    Attributes:
        gcs: the folder of the buckets.
        images: image -> what its entry point runs; a job with another image fails once it is begun, as there.
        jobs: everything that was ever created, oldest first.
        operations: `METHOD collection` of every request, in order.
        pending: seconds that a job waits for its machine.
        restarts: how many further machines a job with restart_job_on_worker_restart may get.
        google: the services beside it at the same address: APIs, images, quotas, secrets, logs.
        early_measurements: whether a trial that goes on shows what it has reported so far.
    """

    def __init__(self, folder: Path, gcs: Path | None = None, port: int = 0, project: str = PROJECT) -> None:
        self.folder, self.project = folder, project
        self.gcs = gcs or folder / "gcs"
        self.images: dict[str, tuple[str, ...]] = {IMAGE: ENTRY}
        self.jobs: list[Run] = []
        self.operations: list[str] = []
        self.faults = Faults()
        self.pending = 0.0
        self.restarts = 5
        self.early_measurements = True
        self.seed = 0
        self.google = Google(self)
        self.lock = threading.RLock()
        self._over = threading.Event()
        self._http = _Http(("127.0.0.1", port), handler_for(self))
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._move_on, daemon=True),
        ]

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._http.server_address[:2])

    def environment(self) -> dict[str, str]:
        """What sends mesozoic's client here."""
        return {"MESOZOIC_VERTEX_ENDPOINT": self.url}

    def __enter__(self) -> VertexServer:
        self.gcs.mkdir(parents=True, exist_ok=True)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.faults.over.set()
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()
        for job in self.jobs:
            job.kill()

    # -- what tests do with it -------------------------------------------------------------------------------

    def job(self, name: str = "") -> Run:
        """The newest job of a display name, or of all."""
        with self.lock:
            return [one for one in self.jobs if name in ("", one.proto.display_name)][-1]

    def wait(self, name: str = "", seconds: float = 60.0) -> str:
        """Wait until a job has ended; its state. Fails the test where it goes on."""
        assert within(seconds, lambda: self.job(name).ended), f"still {self.job(name).state} after {seconds:g} s"
        return self.job(name).state

    def preempt(self, name: str = "", trial: str | None = None, grace: float = 30.0) -> None:
        """Take the machine of a job, or of one of its trials, away."""
        with self.lock:
            self.job(name).container(trial).take_machine(grace)

    def running(self) -> list[str]:
        """Names of the jobs that cost money now."""
        with self.lock:
            return [one.proto.display_name for one in self.jobs if not one.ended]

    def environment_of_a_job(self) -> dict[str, str]:
        """What every container finds set, beside what its job says."""
        kept = ("PATH", "PYTHONPATH", "LANG", "XLA_FLAGS", "OMP_NUM_THREADS", "MESOZOIC_CACHE", *self.environment())
        return {**{name: os.environ[name] for name in kept if name in os.environ}, "JAX_PLATFORMS": "cpu"}

    def local(self, text: str) -> str:
        """A word of a job with the folder of the buckets in the place of their mount."""
        return re.sub(r"(?<![A-Za-z0-9_.-])/gcs/", f"{self.gcs}/", text)

    def _move_on(self) -> None:
        while not self._over.wait(0.05):
            with self.lock:
                for job in self.jobs:
                    job.move_on()

    # -- requests --------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any:
        """The answer to a request: a proto, a dictionary, or an empty one.

        Raises:
            Refused: an HTTP error.
        """
        found = re.fullmatch(r"/v1/projects/([^/]+)/locations/([^/]+)/(\w+)(?:/([^/:]+))?(?::(\w+))?", path)
        if found is None or found[3] not in KINDS:
            return self.google.answer(method, path, query, body)
        project, region, collection, number, verb = found.groups()
        if project != self.project:
            raise Refused(403, f"Permission denied on resource project {project}.")
        if region != REGION:
            raise Refused(400, f"Region {region} is not supported by this stand-in.")
        asked = {"POST": verb or "create", "GET": "get" if number else "list", "DELETE": "delete"}.get(method, method)
        self.operations.append(f"{asked} {collection}")
        with self.lock:
            if asked == "create":
                return self._create(collection, body)
            if asked == "list":
                return self._list(collection, query)
            job = self._numbered(collection, number or "")
            if asked == "get":
                job.shown += 1
                return job.shown_proto()
            if asked == "cancel":
                job.cancel()
                return {}
            if asked == "delete":
                if not job.ended:
                    raise Refused(400, "The job is not in a terminal state; cancel it first.")
                self.jobs.remove(job)
                return {"name": f"{job.proto.name}/operations/1", "done": True, "response": {}}
        raise Refused(404, f"{method} {path}")

    def _create(self, collection: str, body: bytes) -> Any:
        number = str(1000 + len(self.jobs))
        name = f"projects/{self.project}/locations/{REGION}/{collection}/{number}"
        job = KINDS[collection](self, name, body)
        wrong = wrong_with_labels(job.proto.labels) or job.wrong()
        if wrong:
            raise Refused(400, wrong)
        self.jobs.append(job)
        job.hidden_looks = self.faults.hidden_looks
        return job.shown_proto()

    def _list(self, collection: str, query: Mapping[str, str]) -> Any:
        size, start = min(int(query.get("pageSize") or 100), 100), int(query.get("pageToken") or 0)
        found = []
        for job in reversed(self.jobs):
            if isinstance(job, KINDS[collection]) and matches(job.proto, query.get("filter", "")):
                if job.hidden_looks > 0:
                    job.hidden_looks -= 1
                else:
                    found.append(job.shown_proto())
        more = {"nextPageToken": str(start + size)} if len(found) > start + size else {}
        return {collection: found[start : start + size], **more}

    def _numbered(self, collection: str, number: str) -> Run:
        for job in self.jobs:
            if job.proto.name.endswith(f"/{collection}/{number}"):
                return job
        raise Refused(404, f"The {collection} {number} does not exist.")


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that end without closing their connection are no news."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the disks and logs of the machines")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--project", default=PROJECT)
    parser.add_argument(
        "--image", action="append", default=[IMAGE], help="an image that runs mesozoic; repeat for more"
    )
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gcs = os.environ.get("VERTEX_SERVER_GCS")
    server = VertexServer(options.folder, Path(gcs) if gcs else None, options.port, options.project)
    server.images = dict.fromkeys(options.image, ENTRY)
    with server:
        for name, value in server.environment().items():
            print(f"export {name}={value}", flush=True)
        while not stop.wait(1.0):
            pass


if __name__ == "__main__":
    main()
