"""Made-up traces for every test of this folder."""

from __future__ import annotations

import pytest
from support.made_up_traces import Make, Walk, trace_of


@pytest.fixture(scope="session")
def walk() -> type[Walk]:
    return Walk


@pytest.fixture(scope="session")
def make_trace() -> Make:
    return trace_of
