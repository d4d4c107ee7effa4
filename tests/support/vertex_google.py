"""Google's services beside Vertex AI, as far as a preflight, a secret and logs need them: on the loopback server."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from support.vertex_http import Refused

if TYPE_CHECKING:
    from support.vertex_server import VertexServer


class Google:
    """What is there.

    Attributes:
        apis_off: APIs of the project that are not on.
        quotas: metric -> limit in the region; the others have none that is known.
        secrets: name -> value.
        forbidden: parts of paths that nobody may look at.
    """

    def __init__(self, server: VertexServer) -> None:
        self._server = server
        self.apis_off: set[str] = set()
        self.quotas: dict[str, int] = {}
        self.secrets: dict[str, str] = {}
        self.forbidden: set[str] = set()

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any:
        """The answer to a request that is not about jobs.

        Raises:
            Refused: an HTTP error.
        """
        if any(part in path for part in self.forbidden):
            raise Refused(403, f"Permission denied on {path}.")
        if method == "POST" and path == "/v2/entries:list":
            return self._logs(json.loads(body))
        for pattern, answer in (
            (r"/v1/projects/([^/]+)/services:batchGet", self._apis),
            (r"/v1/projects/([^/]+)/locations/([^/]+)/repositories/([^/]+)/packages/([^/]+)/(.+)", self._image),
            (r"/v1beta1/projects/([^/]+)/services/aiplatform.googleapis.com/consumerQuotaMetrics/(.+)", self._quota),
            (r"/v1/projects/([^/]+)/secrets/([^/]+)/versions/([a-z0-9]+)(:access)?", self._secret),
        ):
            found = re.fullmatch(pattern, path)
            if found:
                if found[1] != self._server.project:
                    raise Refused(404, f"Project {found[1]} not found.")
                return answer(*found.groups()[1:])
        raise Refused(404, f"The requested URL {path} was not found on this server.")

    def _apis(self) -> Any:
        names = ("aiplatform.googleapis.com", "storage.googleapis.com")
        states = {name: "DISABLED" if name in self.apis_off else "ENABLED" for name in names}
        project = f"projects/{self._server.project}"
        return {"services": [{"name": f"{project}/services/{name}", "state": state} for name, state in states.items()]}

    def _image(self, location: str, repository: str, name: str, version: str) -> Any:
        kind, _, value = version.partition("/")
        image = f"{location}-docker.pkg.dev/{self._server.project}/{repository}/{name}".replace("\0", "/")
        if f"{image}{':' if kind == 'tags' else '@'}{value}" not in self._server.images:
            raise Refused(404, "Requested entity was not found.")
        return {"name": f"{image}/{version}"}

    def _quota(self, metric: str) -> Any:
        limit = self.quotas.get(metric.rpartition("\0")[2])
        if limit is None:
            return {"metric": metric}
        buckets = [
            {"effectiveLimit": "-1"},
            {"effectiveLimit": str(limit), "dimensions": {"region": "us-central1"}},
            {"effectiveLimit": "99", "dimensions": {"region": "europe-west4"}},
        ]
        return {"metric": metric, "consumerQuotaLimits": [{"quotaBuckets": buckets}]}

    def _secret(self, name: str, version: str, access: str | None) -> Any:
        if name not in self.secrets:
            raise Refused(404, f"Secret {name} not found or has no versions.")
        found = {"name": f"projects/{self._server.project}/secrets/{name}/versions/{version}"}
        if not access:
            return found
        return {**found, "payload": {"data": base64.b64encode(self.secrets[name].encode()).decode()}}

    def _logs(self, asked: dict[str, Any]) -> Any:
        found = re.search(r'resource.labels.job_id="(\d+)"', asked["filter"])
        since = re.search(r'timestamp>="([^"]+)"', asked["filter"])
        assert found, "the client asks for the lines of one job"
        job = next((one for one in self._server.jobs if one.proto.name.endswith(f"/{found[1]}")), None)
        files = [] if job is None else sorted(job.folder.rglob("log.txt"))
        entries = []
        for file in files:
            start = file.stat().st_ctime - 1
            for number, line in enumerate(file.read_text(errors="replace").splitlines()):
                moment = datetime.fromtimestamp(int(start) // 3600 * 3600 + number / 1e3, UTC).isoformat()
                if since is None or moment >= since[1]:
                    entries.append({"insertId": f"{file}:{number}", "timestamp": moment, "textPayload": line})
        start, size = int(asked.get("pageToken") or 0), int(asked["pageSize"])
        more = {"nextPageToken": str(start + size)} if len(entries) > start + size else {}
        return {"entries": entries[start : start + size], **more}
