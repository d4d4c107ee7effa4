"""HTTP of the loopback Vertex server: reads a request, has the faults their way with it, writes the answer."""

from __future__ import annotations

import json
import urllib.parse
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

if TYPE_CHECKING:
    from support.vertex_server import VertexServer

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Refused(Exception):
    """What the server answers with an HTTP error: `(code, message)`."""


def handler_for(server: VertexServer) -> type[BaseHTTPRequestHandler]:
    """The class that answers for a server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def do_HEAD(self) -> None:
            self._answer(404, {})

        def do_DELETE(self) -> None:
            self._do()

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query))
            path = parts.path.replace("%2F", "\0")  # a slash inside of one name
            path = urllib.parse.unquote(path)
            fault = server.faults.next(self.command, path)
            if fault is not None and fault.kind == "refuse":
                return self._answer(fault.status, _error(fault.status, fault.message))
            if fault is not None and fault.kind == "silent":
                server.faults.over.wait()
                return self._hang_up()
            if fault is not None and fault.kind == "late":
                server.faults.over.wait(fault.seconds)
            try:
                code, answer = 200, _plain(server.answer(self.command, path, query, body))
            except Refused as refusal:
                code, answer = refusal.args[0], _error(*refusal.args)
            except json_format.ParseError as error:  # a field that the SDK's types do not have
                code, answer = 400, _error(400, f"Invalid JSON payload received. {error}")
            if fault is not None and fault.kind == "hold":
                server.faults.over.wait()
            if fault is not None and fault.kind in ("lose", "hold"):
                return self._hang_up()
            self._answer(code, answer)

        def _hang_up(self) -> None:
            self.close_connection = True

        def _answer(self, code: int, content: Any) -> None:
            body = json.dumps(content).encode()
            with suppress(OSError):
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp if timestamp is not None else server.faults.clock())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": STATUS.get(code, "UNKNOWN")}}


def _plain(answer: Any) -> Any:
    """An answer as JSON, whose parts may be protos."""
    if isinstance(answer, dict):
        return {key: _plain(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_plain(one) for one in answer]
    if hasattr(answer, "_pb"):
        return json_format.MessageToDict(answer._pb)
    return answer
