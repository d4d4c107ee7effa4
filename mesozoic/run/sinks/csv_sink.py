"""Metrics as one CSV table, a column per metric; a resumed run continues the same table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from mesozoic.files import write_bytes
from mesozoic.run.sinks import Outcome, Place, Sink
from mesozoic.run.training_table import read_training


def open_csv(place: Place) -> Sink:
    """The table `training.csv` of a stage."""
    return CsvSink(place.folder / "training.csv", place.step)


class CsvSink(Sink):
    """Appends rows to `path`. A metric not seen before adds a column to the whole table.

    Args:
        resume_step: keep the rows up to this step and drop later ones, which will be made again.
    """

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        self._path = path
        self._columns = ["step"]
        rows: list[dict[str, str]] = []
        if resume_step and path.exists():
            rows = [row for row in read_training(path) if int(row["step"]) <= resume_step]
            self._columns = list(rows[0]) if rows else self._columns
        self._rewrite(rows)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        new = [name for name in metrics if name not in self._columns]
        if new:
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            self._columns += new
            self._rewrite(rows)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, lineterminator="\n").writerow({"step": step, **metrics})

    def close(self, outcome: Outcome) -> None:
        """Nothing is held open between rows."""

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: v for k, v in row.items() if k in self._columns} for row in rows)
        write_bytes(self._path, text.getvalue().encode())
