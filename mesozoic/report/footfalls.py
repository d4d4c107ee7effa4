"""The footfalls of one episode of each run, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mesozoic.rendering.footfall_diagram import FLIGHT_INK, LEFT_INK, RIGHT_INK
from mesozoic.rendering.recording import Recording
from mesozoic.report.chart import FAINT, Area, Line, Sheet, Text
from mesozoic.task.walk_terms import CONTACT

WIDTH, ROW, BAR, TITLE, AXIS, LEFT, RIGHT = 900.0, 15.0, 10.0, 22.0, 26.0, 110.0, 12.0


def footfall_sheet(recordings: Sequence[tuple[str, Recording]]) -> Sheet:
    """Bars where a foot bears load, one row a foot; time in the air is shaded; one time axis for all.

    Args:
        recordings: a title and an episode whose feet were recorded.
    """
    seconds = max(one.seconds for _, one in recordings)
    scale = (WIDTH - LEFT - RIGHT) / seconds
    sheet, top = Sheet(WIDTH, 0.0), 0.0
    for title, one in recordings:
        assert one.foot_load is not None
        sheet.shapes.append(Text((4.0, top + 15), title, 11.5, bold=True))
        top += TITLE
        loaded = one.foot_load > CONTACT
        height = ROW * loaded.shape[1]
        for begin, end in runs_of(np.asarray(~loaded.any(axis=1))):
            sheet.shapes.append(_bar(begin, end, top, height, scale * one.dt, FLIGHT_INK))
        for foot, name in enumerate(one.foot_names):
            ink, y = RIGHT_INK if "right" in name else LEFT_INK, top + foot * ROW
            sheet.shapes.append(Text((LEFT - 8, y + 11), name.replace("_", " "), 10.5, "end"))
            for begin, end in runs_of(loaded[:, foot]):
                sheet.shapes.append(_bar(begin, end, y + (ROW - BAR) / 2, BAR, scale * one.dt, ink))
        top += height + 8
    sheet.shapes.append(Line(((LEFT, top), (WIDTH - RIGHT, top)), FAINT))
    every = next((step for step in (0.5, 1.0, 2.0, 5.0, 10.0) if seconds / step <= 12), 30.0)
    for tick in np.arange(0.0, seconds + 1e-6, every):
        x = LEFT + scale * tick
        sheet.shapes += [
            Line(((x, top), (x, top + 4)), FAINT),
            Text((x, top + 16), f"{tick:g}{' s' if tick == 0 else ''}", 10, "middle", FAINT),
        ]
    sheet.height = top + AXIS
    return sheet


def runs_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Beginning and end of every run of true values of [T]."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _bar(begin: int, end: int, top: float, height: float, scale: float, colour: str) -> Area:
    a, b = LEFT + begin * scale, LEFT + end * scale
    return Area(((a, top), (b, top), (b, top + height), (a, top + height)), colour)
