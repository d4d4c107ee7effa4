"""The loopback W&B server with the faults that servers have: it hangs, answers 500 or garbage, echoes, dies."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from support.wandb_server import WandbServer

AT_ONCE = ("refused", "hang", "500", "garbage", "echo")
"""Faults from the first request on."""
LATER = ("dies", "freezes", "turns to 500", "turns to 403")
"""Faults that begin once a run has begun, before any of its rows arrived."""


class FaultyWandbServer(WandbServer):
    """A `WandbServer` with a fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        assert fault in (*AT_ONCE, *LATER)
        self._fault = fault
        self._over = threading.Event()
        self.asked = 0

    @property
    def broken(self) -> bool:
        """Whether the fault shows by now."""
        return self._fault in AT_ONCE or any(run.state == "running" for run in self.runs.values())

    def environment(self, home: Path | None = None) -> dict[str, str]:
        found = super().environment(home)
        return found | {"WANDB_BASE_URL": f"http://127.0.0.1:{_closed_port()}"} if self._fault == "refused" else found

    def __exit__(self, *_: object) -> None:
        self._over.set()
        super().__exit__()

    def misbehaves(self, request: BaseHTTPRequestHandler) -> bool:
        self.asked += 1
        if not self.broken:
            return False
        with suppress(OSError):
            self._misbehave(request)
        request.close_connection = True
        return True

    def _misbehave(self, request: BaseHTTPRequestHandler) -> None:
        if self._fault in ("hang", "freezes"):
            self._over.wait()
        elif self._fault == "garbage":
            request.wfile.write(b"\x00\xff\x1b[2J not HTTP at all\r\n" * 50)
        elif self._fault == "echo":
            heard = {"errors": [{"message": f"you said {dict(request.headers)}"}], "headers": dict(request.headers)}
            self._reply(request, 400, heard)
        elif self._fault == "dies":
            request.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._reply(request, 403 if self._fault == "turns to 403" else 500, {"error": "internal"})

    def _reply(self, request: BaseHTTPRequestHandler, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
