"""What a person sees of a local sweep: a table that lives on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mesozoic.run.unheard import unheard
from mesozoic.sweep.engines.study import Row
from mesozoic.sweep.engines.worker import Worker

EVERY = 2.0
"""Seconds between two pictures of the table."""


def short(value: Any) -> str:
    """A value of a point, in a few signs."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def described(point: Any) -> str:
    """A point on one line."""
    return "  ".join(f"{path.partition('.')[2] or path}={short(value)}" for path, value in point.items())


class Board:
    """Tells how a sweep goes.

    Args:
        budget: steps of a trial, all its seeds together.
    """

    def __init__(self, title: str, budget: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._title, self._budget = title, budget
        self._live: Live | None = None
        self._began, self._drawn, self._done_before = time.monotonic(), 0.0, -1

    def begin(self) -> None:
        """Show the table, where there is a terminal."""
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            with unheard():
                self._live.start()

    def end(self) -> None:
        """Take it away."""
        if self._live is not None:
            with unheard():
                self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """A line of text, above the table."""
        with unheard():
            self._console.print(line, soft_wrap=True, markup=False)

    def show(self, rows: Sequence[Row], workers: Sequence[Worker]) -> None:
        """Draw the table anew, if it is time."""
        now = time.monotonic()
        done = sum(row.over for row in rows)
        if self._done_before < 0:
            self._done_before = done
        if self._live is None or now - self._drawn < EVERY:
            return
        self._drawn = now
        table = Table(title=f"{self._title}: {self._summary(rows, done, now)}", title_justify="left", box=None)
        for name in ("trial", "worker", "steps", "worth", "values"):
            table.add_column(name)
        for worker in workers:
            if worker.ticket is not None:
                share = f"{worker.step:,} of {self._budget:,}"
                worth = "" if worker.value is None else f"{worker.value:.4f}"
                table.add_row(worker.ticket.id, str(worker.share.number), share, worth, described(worker.ticket.point))
        with unheard():
            self._live.update(table, refresh=True)

    def _summary(self, rows: Sequence[Row], done: int, now: float) -> str:
        best = best_of(rows)
        found = "nothing yet" if best is None else f"best {best.value:.4f} (trial {best.id})"
        fresh = done - self._done_before
        left = "" if not fresh else f", about {clock((now - self._began) / fresh * (len(rows) - done))} left"
        return f"{done} of {len(rows)} trials over, {found}{left}"


def best_of(rows: Sequence[Row]) -> Row | None:
    """The trial that is worth most of those that ran to their end; of equals the first."""
    over = [row for row in rows if row.state in ("passed", "budget") and row.value is not None]
    return max(over, key=lambda row: row.value or 0.0, default=None)


def clock(seconds: float) -> str:
    """Hours and minutes."""
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes} min"
