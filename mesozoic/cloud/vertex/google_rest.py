"""Google's other services, beside jobs and buckets: JSON over HTTPS, with a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesozoic.cloud.vertex.endpoint import DEADLINE, address_of, credentials
from mesozoic.cloud.vertex.vertex_errors import plain_errors


class Google:
    """Asks Google's services. Every method may raise `VertexError`; `Missing` for what is not there."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        who = credentials()
        from google.auth.transport.requests import AuthorizedSession

        self._session: Any = AuthorizedSession(who)
        self._deadline = deadline

    def get(self, service: str, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a service, `artifactregistry` for example, has at a path."""
        return self._ask("GET", service, path, params=dict(query or {}))

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request with a body."""
        return self._ask("POST", service, path, json=dict(body))

    def _ask(self, method: str, service: str, path: str, **more: Any) -> dict[str, Any]:
        from google.api_core.exceptions import from_http_response

        with plain_errors(f"ask {service}.googleapis.com"):
            answer = self._session.request(method, address_of(service) + path, timeout=self._deadline, **more)
            if answer.status_code >= 400:
                raise from_http_response(answer)
            found = answer.json()
            return found if isinstance(found, dict) else {}
