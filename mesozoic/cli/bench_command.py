"""`mesozoic bench`."""
from __future__ import annotations
def bench() -> None:
    """Stub until the benchmark is there."""
