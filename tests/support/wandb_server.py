"""A loopback server that speaks as much of W&B's protocol as sweeps need, for the real wandb client.

In a test: `with WandbServer() as server`, then a program with `server.environment()`, then `server.runs`.
On its own, for whole-system tests: `python -m support.wandb_server --state FILE`, which prints what a client needs.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import re
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.wandb_state import Refused, WandbState

API_KEY = "0123456789abcdef" * 3  # the client asks for 40 characters or more


class WandbServer(WandbState):
    """The HTTP server, in a thread, that answers from its state."""

    def __init__(self, port: int = 0, seed: int = 0, state_file: Path | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(seed, state_file)
        self._http = _Http((host, port), _handler(self))
        self.url = "http://{}:{}".format(*self._http.server_address[:2])
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """What sends a wandb client here."""
        found = {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": API_KEY, "WANDB_ERROR_REPORTING": "false"}
        return found if home is None else {**found, "HOME": str(home), "WANDB_CONFIG_DIR": str(home / "wandb")}

    def __enter__(self) -> WandbServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def misbehaves(self, request: BaseHTTPRequestHandler) -> bool:
        """Whether a request was dealt with in another way than it should; see `wandb_faults`."""
        return False


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that end without closing their connection are no news."""


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._body()
            if server.misbehaves(self):
                return None
            if not self._authorized():
                return self._answer(401, {"errors": [{"message": "API key is missing or wrong"}]})
            try:
                if self.path == "/graphql":
                    asked = json.loads(body)
                    return self._answer(200, server.graphql(asked["query"], asked.get("variables") or {}))
                stream = re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path)
                if stream:
                    return self._answer(200, server.stream(stream.group(1), json.loads(body)))
            except Refused as refusal:
                status, message = refusal.args
                return self._answer(status, {"errors": [{"message": message}]})
            server.unknown.append(f"POST {self.path}")
            return self._answer(404, {"error": self.path})

        def do_PUT(self) -> None:
            self._body()
            if not server.misbehaves(self):
                self._answer(200, {})

        def do_GET(self) -> None:
            if not server.misbehaves(self):
                self._answer(200, server.state() if self.path == "/state" else {})

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _authorized(self) -> bool:
            expected = base64.b64encode(f"api:{API_KEY}".encode()).decode()
            return self.headers.get("Authorization") == f"Basic {expected}"

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="another address of this machine to listen on")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--state", type=Path, help="write everything to this JSON file after every change")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with WandbServer(options.port, seed=int(time.time()), state_file=options.state, host=options.host) as server:
        for name, value in server.environment().items():
            print(f"export {name}={value}", flush=True)
        while not stop.wait(1.0):
            pass


if __name__ == "__main__":
    main()
