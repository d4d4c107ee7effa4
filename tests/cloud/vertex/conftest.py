"""A loopback Vertex AI for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("google.cloud.aiplatform_v1", reason="needs the extra [vertex]")

from support.vertex_server import PROJECT, REGION, VertexServer

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
