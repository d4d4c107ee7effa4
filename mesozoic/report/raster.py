"""A sheet as PNG."""

from __future__ import annotations

from pathlib import Path

from mesozoic.rendering.scene import viz_module
from mesozoic.report.chart import Area, Line, Sheet, Text

DPI = 144
UNIT = 72.0
"""Units of a sheet in an inch; its text is in points."""


def draw_png(sheet: Sheet, path: Path) -> None:
    """Draw the sheet.

    Raises:
        UserError: the `[viz]` extra is missing.
    """
    figures, patches, lines = (viz_module(f"matplotlib.{name}") for name in ("figure", "patches", "lines"))
    figure = figures.Figure(figsize=(sheet.width / UNIT, sheet.height / UNIT), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0.0, sheet.width)
    axes.set_ylim(sheet.height, 0.0)
    axes.axis("off")
    for order, shape in enumerate(sheet.shapes, start=1):
        if isinstance(shape, Line):
            x, y = zip(*shape.points, strict=True)
            style = (0, (5, 3)) if shape.dash else "-"
            axes.add_line(lines.Line2D(x, y, color=shape.colour, linewidth=shape.width, linestyle=style, zorder=order))
        elif isinstance(shape, Area):
            axes.add_patch(
                patches.Polygon(shape.points, facecolor=shape.colour, alpha=shape.opacity, linewidth=0, zorder=order)
            )
        elif isinstance(shape, Text):
            side = {"start": "left", "middle": "center", "end": "right"}[shape.anchor]
            weight = "bold" if shape.bold else "normal"
            ink = {"color": shape.colour, "ha": side, "va": "baseline", "zorder": order, "parse_math": False}
            axes.text(*shape.at, shape.text, fontsize=0.92 * shape.size, fontweight=weight, **ink)
    figure.savefig(path, format="png")
