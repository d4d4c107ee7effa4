"""A loopback Vertex AI with a bucket, for the tests of this folder, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.vertex_buckets import Buckets
    from support.vertex_server import VertexServer

    from mesozoic.cloud.vertex.client import VertexClient


def _is_here(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False


MISSING = [name for name in ("google.cloud.aiplatform", "gcsfs", "gcp_storage_emulator") if not _is_here(name)]
collect_ignore_glob = ["test_*.py"] if MISSING else []
"""A skip in this file would end the tests of all other folders as well."""


def pytest_report_header() -> str | None:
    return f"tests/cloud/vertex is left out: {', '.join(MISSING)} of the extra [vertex] is missing" if MISSING else None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexServer]:
    from support.vertex_server import VertexServer

    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "ledger"))
    with VertexServer(tmp_path / "vertex") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def client(server: VertexServer) -> VertexClient:
    from support.vertex_server import PROJECT, REGION

    from mesozoic.cloud.vertex.client import VertexClient
    from mesozoic.cloud.vertex.endpoint import Place

    return VertexClient(Place(PROJECT, REGION), deadline=20.0)


@pytest.fixture
def buckets(server: VertexServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """The bucket `bones`, which jobs have at `/gcs/bones`."""
    from support.vertex_buckets import Buckets

    with Buckets(server.gcs, "bones") as buckets:
        for name, value in buckets.environment().items():
            monkeypatch.setenv(name, value)
        yield buckets


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    from fake_sky import FakeSky

    from mesozoic.cli import cloud_options
    from mesozoic.cli.app import main

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
