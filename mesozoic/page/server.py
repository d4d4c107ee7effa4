"""A small server for one page: on this machine only, on a free port, until Ctrl-C."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mesozoic.errors import UserError

HERE = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
"""Names by which a browser may ask: another one would be a stranger's page that points to this machine."""
SLOWEST = 30.0
"""Seconds in which a browser must have sent its request."""

Answer = Callable[[Mapping[str, str]], Any]
"""Takes what was asked after `?`, gives JSON."""


class PageServer:
    """Serves a page at `/`, and answers at other paths.

    Args:
        port: 0 for a free one.
        answers: path -> what answers there, in JSON.

    Raises:
        UserError: the port is taken, or may not be used.
    """

    def __init__(self, page: str, port: int = 0, answers: Mapping[str, Answer] | None = None) -> None:
        self._page = gzip.compress(page.encode(), compresslevel=1)
        self._answers = dict(answers or {})
        try:
            self._server = ThreadingHTTPServer((HERE, port), self._handler())
        except (OSError, OverflowError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no port"
            raise UserError(f"port {port} cannot be used ({said}); give another --port, or none") from None
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in another thread while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page, answers = self._page, self._answers

        class Handler(BaseHTTPRequestHandler):
            timeout = SLOWEST
            server_version, sys_version = "mesozoic", ""

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
                if host not in NAMES:
                    self.send_error(HTTPStatus.FORBIDDEN, "ask for localhost")
                elif parts.path == "/":
                    self._send(page, "text/html; charset=utf-8", packed=True)
                elif parts.path in answers:
                    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                    self._send(json.dumps(answers[parts.path](asked)).encode(), "application/json")
                else:
                    self.send_error(HTTPStatus.NOT_FOUND)

            def _send(self, body: bytes, kind: str, packed: bool = False) -> None:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("X-Content-Type-Options", "nosniff")
                if packed:
                    self.send_header("Content-Encoding", "gzip")
                try:
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the page was closed

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the terminal is for people."""

        return Handler


def reached_from(port: int) -> str:
    """How to reach a port of this machine from the one whose user is logged in here with ssh; empty on their own."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) != 4:
        return ""
    user = os.environ.get("USER") or os.environ.get("LOGNAME")
    host = connection[2] or socket.gethostname()
    return f"ssh -L {port}:localhost:{port} {f'{user}@' if user else ''}{host}"


def open_browser(address: str) -> None:
    """Open an address in the user's browser, where there is one; never waits for it."""

    def attempt() -> None:
        try:
            webbrowser.open(address)
        except (webbrowser.Error, OSError):
            return

    threading.Thread(target=attempt, daemon=True).start()
