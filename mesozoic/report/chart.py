"""Charts as shapes on a sheet: what SVG and PNG draw alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mesozoic.report.curves import Band, Curve

INK, FAINT, GRID, GATE, BASE = "#2b2622", "#8b857e", "#e4e0da", "#a51d12", "#6b5a3f"
BRIGHT = ("#2f6f91", "#c96b28", "#5c8a3a", "#8a4f9e", "#b0892c", "#3d8f8a", "#a3485b", "#64708f")


def _mixed(colour: str, other: int, share: float) -> str:
    """A colour with a share of a grey of [0, 255] in it."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + share * (other - part)):02x}" for part in parts)


COLOURS = (*BRIGHT, *(_mixed(one, 255, 0.45) for one in BRIGHT), *(_mixed(one, 0, 0.45) for one in BRIGHT))
"""Of runs, in order; as many as one report takes."""
WIDTH, HEIGHT = 360.0, 230.0
"""Of one panel."""
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 26.0, 34.0
"""Around the picture in a panel."""
KEY_ROW = 18.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line through points; `dash`: dashed."""

    points: tuple[Point, ...]
    colour: str = INK
    width: float = 1.0
    dash: bool = False


@dataclass(frozen=True)
class Area:
    """A filled outline."""

    points: tuple[Point, ...]
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True)
class Text:
    """A line of text; `anchor`: `start`, `middle` or `end`; its baseline is at `at`."""

    at: Point
    text: str
    size: float = 11.0
    anchor: str = "start"
    colour: str = INK
    bold: bool = False


Shape = Line | Area | Text


@dataclass
class Sheet:
    """Shapes, drawn in order, in a frame of `width` by `height`; y points down."""

    width: float
    height: float
    shapes: list[Shape] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Panel:
    """One metric.

    Attributes:
        curves: of runs, in the colours of their order; band: of them all.
        gates, bases: names and values of thresholds and of baselines, drawn as level lines.
        share: the metric lies in [0, 1], and so does the axis.
    """

    title: str
    curves: Sequence[Curve]
    band: Band | None = None
    gates: Sequence[tuple[str, float]] = ()
    bases: Sequence[tuple[str, float]] = ()
    share: bool = False


def sheet_of(panels: Sequence[Panel], names: Sequence[str], columns: int = 3) -> Sheet:
    """Panels in rows, and below them which colour is which run.

    Args:
        names: of the runs, in the order of their colours.
    """
    columns = max(1, min(columns, len(panels)))
    rows = math.ceil(len(panels) / columns)
    sheet = Sheet(columns * WIDTH, rows * HEIGHT)
    for i, panel in enumerate(panels):
        sheet.shapes += _panel(panel, i % columns * WIDTH, i // columns * HEIGHT, names)
    x, y = LEFT, sheet.height + 12.0
    for name, colour in key_of(panels, names):
        room = 30.0 + 6.2 * len(name)
        if x + room > sheet.width and x > LEFT:
            x, y = LEFT, y + KEY_ROW
        sheet.shapes += [Line(((x, y - 4), (x + 18, y - 4)), colour, 2.0), Text((x + 23, y), name)]
        x += room
    sheet.height = y + 8.0
    return sheet


def panel_sheet(panel: Panel, names: Sequence[str]) -> Sheet:
    """One panel alone, without a key."""
    return Sheet(WIDTH, HEIGHT, _panel(panel, 0.0, 0.0, names))


def key_of(panels: Sequence[Panel], names: Sequence[str]) -> list[tuple[str, str]]:
    """What each colour means: name and colour."""
    entries = [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)]
    return [*entries, ("median, and range of the runs", INK)] if any(panel.band for panel in panels) else entries


def _panel(panel: Panel, left: float, top: float, names: Sequence[str]) -> list[Shape]:
    x0, x1 = left + LEFT, left + WIDTH - RIGHT
    y0, y1 = top + HEIGHT - BOTTOM, top + TOP
    most = max((float(curve.steps[-1]) for curve in panel.curves), default=1.0) or 1.0
    low, high, ticks = _range(panel)

    def place(step: float, value: float) -> Point:
        share = (min(max(value, low), high) - low) / (high - low)
        return x0 + (x1 - x0) * step / most, y0 + (y1 - y0) * share

    shapes: list[Shape] = [Text((x0, top + 15), panel.title, 12.5, bold=True)]
    for tick in ticks:
        shapes.append(Line((place(0, tick), place(most, tick)), GRID))
        shapes.append(Text((x0 - 5, place(0, tick)[1] + 4), _short(tick), 10, "end", FAINT))
    unit, word = (1e6, "million steps") if most >= 2e6 else (1e3, "thousand steps")
    for tick in _ticks(0.0, most / unit, 5):
        x = place(tick * unit, low)[0]
        shapes += [Line(((x, y0), (x, y0 + 3)), FAINT), Text((x, y0 + 14), _short(tick), 10, "middle", FAINT)]
    shapes.append(Text(((x0 + x1) / 2, y0 + 27), word, 10, "middle", FAINT))
    if panel.band is not None:
        band = panel.band
        upper = [place(*point) for point in zip(band.steps, band.high, strict=True)]
        lower = [place(*point) for point in zip(band.steps, band.low, strict=True)]
        shapes.append(Area((*upper, *reversed(lower)), INK, 0.12))
    for curve in panel.curves:
        colour = COLOURS[names.index(curve.name) % len(COLOURS)]
        shapes.append(Line(_through(curve, place), colour, 1.2 if panel.band else 1.8))
    if panel.band is not None:
        shapes.append(
            Line(tuple(place(*point) for point in zip(panel.band.steps, panel.band.median, strict=True)), INK, 2.2)
        )
    taken: list[float] = []
    for named, colour in ((panel.gates, GATE), (panel.bases, BASE)):
        for name, value in named:
            y = place(0, value)[1]
            shapes.append(Line(((x0, y), (x1, y)), colour, 1.1, dash=True))
            at = y - 3
            while any(abs(at - other) < 10 for other in taken):
                at += 10
            taken.append(at)
            shapes.append(Text((x1 - 2, at), name, 9.5, "end", colour))
    shapes.append(Line(((x0, y0), (x1, y0)), FAINT))
    return shapes


def _through(curve: Curve, place: object) -> tuple[Point, ...]:
    assert callable(place)
    points = tuple(place(step, value) for step, value in zip(curve.steps, curve.values, strict=True))
    return points if len(points) > 1 else (points[0], (points[0][0] + 2.0, points[0][1]))


def _range(panel: Panel) -> tuple[float, float, list[float]]:
    """Ends of the vertical axis, and its ticks."""
    if panel.share:
        return 0.0, 1.02, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    values = [curve.values for curve in panel.curves]
    values += [np.array([value for _, value in (*panel.gates, *panel.bases)])]
    every = np.concatenate(values) if values else np.array([0.0, 1.0])
    low, high = float(every.min()), float(every.max())
    if not high - low > 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    ticks = _ticks(low, high, 5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    low, high = min(low, math.floor(low / step) * step), max(high, math.ceil(high / step) * step)
    return low, high, _ticks(low, high, 6)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """At most about `most` round numbers between two."""
    raw = max(high - low, 1e-300) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _short(value: float) -> str:
    text = f"{value:.3g}"
    return f"{value:,.0f}" if "e" in text and abs(value) < 1e7 else text
