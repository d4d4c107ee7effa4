"""A job followed to its end, and what it has printed, by Google's Cloud Logging."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.google_rest import Google
from mesozoic.cloud.vertex.jobs import Job
from mesozoic.cloud.vertex.vertex_errors import Transient
from mesozoic.errors import plain

PAUSE = 10.0
"""Seconds between two looks."""
SILENCE = 1800.0
"""Seconds without an answer after which following gives up; the job goes on."""
LATE = 3
"""Looks after the end of a job in which its last lines may still arrive."""
PAGE = 1000


def follow(client: VertexClient, job: Job, say: Callable[[str], None], show: bool = True) -> Job:
    """Wait until a job has ended, printing what it prints; the job as it is then.

    Raises:
        VertexError: no answer for half an hour. The job goes on.
    """
    log, heard, looks = Log(client.place.project, job), time.monotonic(), 0
    while True:
        try:
            now = client.get(job.resource)
            for line in log.new() if show else ():
                say(line)
            heard = time.monotonic()
            if now.ended:
                looks += 1
                if looks >= (LATE if show else 1):
                    said = f": {now.error}" if now.error else ""
                    say(f"{now.kind} {now.number} ({now.name}) ended: {now.state}{said}")
                    return now
        except Transient as error:
            if time.monotonic() - heard > SILENCE:
                raise
            say(f"{error}; looking again")
        time.sleep(PAUSE if not looks else min(PAUSE, 2.0))


class Log:
    """The lines of a job, each once."""

    def __init__(self, project: str, job: Job) -> None:
        self._google, self._project, self._job = Google(), project, job
        self._since = ""
        self._seen: set[str] = set()

    def new(self) -> Iterator[str]:
        """The lines since the last call, fit for a terminal.

        Raises:
            VertexError: they cannot be read.
        """
        page = ""
        wanted = f'resource.type="ml_job" AND resource.labels.job_id="{self._job.number}"'
        if self._since:  # lines of one moment may arrive one after the other
            wanted += f' AND timestamp>="{self._since}"'
        while True:
            body = {
                "resourceNames": [f"projects/{self._project}"],
                "filter": wanted,
                "orderBy": "timestamp asc",
                "pageSize": PAGE,
                **({"pageToken": page} if page else {}),
            }
            found = self._google.post("logging", "/v2/entries:list", body)
            for entry in found.get("entries", []):
                if entry.get("insertId") not in self._seen:
                    self._seen.add(str(entry.get("insertId")))
                    self._since = max(self._since, str(entry.get("timestamp", "")))
                    text = entry.get("textPayload") or (entry.get("jsonPayload") or {}).get("message") or ""
                    yield plain(str(text).rstrip("\n"))
            page = str(found.get("nextPageToken") or "")
            if not page:
                return
