"""The server of a page: on this machine only, for pages of this machine only, until it is ended."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mesozoic.errors import UserError
from mesozoic.page.server import HERE, PageServer, reached_from


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    server = PageServer("<p>an animal", answers={"/news": lambda asked: {"asked": dict(asked)}})
    with server.running():
        yield server


def get(server: PageServer, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HERE, server.port, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def test_it_serves_the_page_and_answers(server: PageServer) -> None:
    import gzip

    status, headers, body = get(server, "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert gzip.decompress(body) == b"<p>an animal"
    assert json.loads(get(server, "/news?has=3")[2]) == {"asked": {"has": "3"}}


@pytest.mark.parametrize("path", ["/etc/passwd", "/../x", "/news/x"])
def test_nothing_else_is_served(server: PageServer, path: str) -> None:
    assert get(server, path)[0] == 404


def test_a_strangers_page_that_points_here_is_refused(server: PageServer) -> None:
    """Its name is another one, which the browser sends along (DNS rebinding)."""
    assert get(server, "/news", Host="evil.example:80")[0] == 403
    assert get(server, "/news", Host=f"localhost:{server.port}")[0] == 200


def test_it_listens_on_the_loopback_only(server: PageServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_a_sentence(server: PageServer) -> None:
    with pytest.raises(UserError, match=f"port {server.port} cannot be used .*; give another --port"):
        PageServer("", server.port)


def test_over_ssh_it_says_how_to_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.9 22")
    monkeypatch.setenv("USER", "ada")
    assert reached_from(8765) == "ssh -L 8765:localhost:8765 ada@192.0.2.9"
    monkeypatch.delenv("SSH_CONNECTION")
    assert reached_from(8765) == ""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_play_says_where_it_is_and_ctrl_c_ends_it() -> None:
    command = [sys.executable, "-m", "mesozoic", "play", "trex", "--no-browser"]
    environment = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"page http://localhost:(\d+)/\n", line)
            assert found, line
            connection = http.client.HTTPConnection(HERE, int(found[1]), timeout=30)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
