"""HTML of a report: tables and paragraphs in which every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LARGEST = 1e15
"""What is larger, or no number, is not shown."""
Cell = object
"""A text, a number, None, or `Marked`."""


@dataclass(frozen=True)
class Marked:
    """A text that is good or bad news."""

    text: str
    good: bool


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that scrolls by itself where the page is too narrow; its first column names the rows."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(cell, i == 0) for i, cell in enumerate(row))}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'


def _cell(cell: Cell, first: bool) -> str:
    tag = "th" if first else "td"
    if isinstance(cell, Marked):
        return f'<{tag} class="{"good" if cell.good else "bad"}">{escape(cell.text)}</{tag}>'
    return f"<{tag}>{escape('' if cell is None else str(cell))}</{tag}>"


def heading(level: int, text: str) -> str:
    return f"<h{level}>{escape(text)}</h{level}>\n"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>\n"


def preformatted(text: str) -> str:
    return f"<pre>{escape(text)}</pre>\n"


def number(value: object) -> str:
    """A number as people read it, with about four digits; empty for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        return ""
    digits = 0 if isinstance(value, int) or abs(value) >= 1000 else 1 if abs(value) >= 100 else 3
    return f"{value:,.{digits}f}"


def minutes(seconds: object) -> str:
    """Seconds as minutes and seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        return ""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
