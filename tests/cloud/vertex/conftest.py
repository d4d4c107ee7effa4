"""A loopback Vertex AI with a bucket, for the tests of this folder, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("google.cloud.aiplatform_v1", reason="needs the extra [vertex]")

from fake_sky import FakeSky
from support.vertex_buckets import Buckets
from support.vertex_server import PROJECT, REGION, VertexServer

from mesozoic.cli import cloud_options
from mesozoic.cli.app import main
from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.endpoint import Place


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexServer]:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "ledger"))
    with VertexServer(tmp_path / "vertex") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def client(server: VertexServer) -> VertexClient:
    return VertexClient(Place(PROJECT, REGION), deadline=20.0)


@pytest.fixture
def buckets(server: VertexServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """The bucket `bones`, which jobs have at `/gcs/bones`."""
    with Buckets(server.gcs, "bones") as buckets:
        for name, value in buckets.environment().items():
            monkeypatch.setenv(name, value)
        yield buckets


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    sky = FakeSky()
    monkeypatch.setattr(cloud_options, "connect", lambda: sky)

    def run(*arguments: str) -> tuple[int, str]:
        """Exit code and output of `mesozoic ...`."""
        monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        out = capsys.readouterr()
        return int(caught.value.code or 0), out.out + out.err

    return run
