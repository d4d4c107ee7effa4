"""A sheet as SVG."""

from __future__ import annotations

from html import escape

from mesozoic.report.chart import Area, Line, Sheet, Text

FONT = "system-ui, -apple-system, 'DejaVu Sans', sans-serif"


def to_svg(sheet: Sheet, title: str, lone: bool = False) -> str:
    """The sheet as an `<svg>` that takes the width it is given.

    Args:
        title: what it shows, for those who do not see it.
        lone: it is a file of its own, on white.
    """
    size = f'width="{sheet.width:g}" height="{sheet.height:g}" ' if lone else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}viewBox="0 0 {sheet.width:g} {sheet.height:g}" role="img"'
        f' font-family="{FONT}"><title>{escape(title)}</title>'
    ]
    if lone:
        parts.append('<rect width="100%" height="100%" fill="white"/>')
    for shape in sheet.shapes:
        if isinstance(shape, Line):
            dash = ' stroke-dasharray="5 3"' if shape.dash else ""
            parts.append(
                f'<polyline fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}"'
                f' stroke-linejoin="round"{dash} points="{_points(shape.points)}"/>'
            )
        elif isinstance(shape, Area):
            parts.append(
                f'<polygon fill="{shape.colour}" fill-opacity="{shape.opacity:g}" points="{_points(shape.points)}"/>'
            )
        elif isinstance(shape, Text):
            weight = ' font-weight="bold"' if shape.bold else ""
            parts.append(
                f'<text x="{shape.at[0]:.1f}" y="{shape.at[1]:.1f}" font-size="{shape.size:g}"'
                f' text-anchor="{shape.anchor}" fill="{shape.colour}"{weight}>{escape(shape.text)}</text>'
            )
    return "\n".join([*parts, "</svg>\n"])


def _points(points: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
