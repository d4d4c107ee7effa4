"""Reads `training.csv`, the metrics of a stage over its steps, as far as it is whole."""

from __future__ import annotations

import csv
from pathlib import Path

from mesozoic.files import read_bytes

LARGEST = 1 << 30
"""Bytes of a table that is read."""


def read_training(path: Path) -> list[dict[str, str]]:
    """Its rows in order, each with a whole `step`; a last line that was torn is left out.

    Raises:
        OSError: it cannot be read. ValueError: it is too large, or no table.
    """
    whole, _, _ = read_bytes(path, LARGEST).decode(errors="replace").rpartition("\n")
    try:
        rows = list(csv.DictReader(whole.splitlines()))
    except csv.Error as error:
        raise ValueError(f"it is no table: {error}") from None
    return [row for row in rows if (row.get("step") or "").isdecimal()]
