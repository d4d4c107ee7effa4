"""Spans of time in words."""

from __future__ import annotations


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min` or `2 d 4 h`."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // (24 * 60)} d {minutes // 60 % 24} h"
