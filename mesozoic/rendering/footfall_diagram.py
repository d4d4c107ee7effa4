"""Footfall diagram of one episode: which foot is on the floor when (Hildebrand 1965, Science 150:701)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.files import replacing
from mesozoic.rendering.scene import viz_module
from mesozoic.sim.trace import Trace
from mesozoic.task.walk_terms import CONTACT

LEFT_INK, RIGHT_INK, FLIGHT_INK = "#2f6f8f", "#c8702a", "#f3c6c4"
INK, FAINT = "#2b2622", "#8b857e"
BAR = 0.62
"""Height of a bar as a share of its row."""
DPI = 120
INCHES_PER_SECOND, NARROWEST, WIDEST = 1.1, 9.5, 16.0
ROW, HEAD, FOOT = 0.42, 0.85, 0.82
"""Heights in inches: of one row, of the title above the rows, of the axis and the legend below."""


def draw_footfalls(trace: Trace, episode: int, title: str, path: Path, figures: str = "", settled: int = 0) -> None:
    """Write the diagram of one episode as PNG. `path` appears only when it is complete.

    A bar of a foot's row is the time in which the foot bears more than `CONTACT` of body weight; time
    with no foot on the floor is shaded across all rows; the start that the figures leave out is marked.

    Args:
        episode: which one of the trace.
        title: for example species and stage.
        figures: written under the title, for example `gait_report.figures_line`.
        settled: control steps that these figures leave out at the beginning.

    Raises:
        UserError: the `[viz]` extra is missing or `path` cannot be written.
    """
    figure_module = viz_module("matplotlib.figure")
    contact = trace.foot_load[: trace.length[episode], episode] > CONTACT
    feet, seconds = len(trace.foot_names), len(contact) * trace.dt
    width = min(max(INCHES_PER_SECOND * seconds + 1.5, NARROWEST), WIDEST)
    height = ROW * feet + HEAD + FOOT
    figure = figure_module.Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    left = (0.25 + 0.085 * max(map(len, trace.foot_names))) / width
    axes = figure.add_axes((left, FOOT / height, 1.0 - left - 0.25 / width, ROW * feet / height))
    for begin, end in _runs(np.asarray(~contact.any(axis=1))):
        axes.axvspan(begin * trace.dt, end * trace.dt, color=FLIGHT_INK, linewidth=0, zorder=1)
    for row in range(feet):
        spans = [(begin * trace.dt, (end - begin) * trace.dt) for begin, end in _runs(contact[:, row])]
        axes.broken_barh(spans, (row - BAR / 2, BAR), facecolor=foot_ink(trace, row), linewidth=0, zorder=3)
    marked = 0 < settled < len(contact)
    if marked:
        axes.axvline(settled * trace.dt, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=4)
    _dress(axes, trace, seconds)
    ink = {"color": INK, "va": "center"}
    figure.text(0.2 / width, 1.0 - 0.3 / height, title, fontsize=12, fontweight="bold", **ink)
    figure.text(0.2 / width, 1.0 - 0.58 / height, figures, fontsize=9, **ink)
    _legend(figure, trace, marked, left)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def foot_ink(trace: Trace, foot: int) -> str:
    """Colour of a foot's bars: one for each side."""
    return RIGHT_INK if "right" in trace.foot_names[foot] else LEFT_INK


def _dress(axes: Any, trace: Trace, seconds: float) -> None:
    feet = len(trace.foot_names)
    axes.set_xlim(0.0, seconds)
    axes.set_ylim(feet - 0.5, -0.5)
    axes.set_yticks(range(feet), [name.replace("_", " ") for name in trace.foot_names])
    axes.set_xlabel("seconds", color=INK, fontsize=9, labelpad=2)
    axes.tick_params(axis="x", colors=INK, labelsize=9)
    axes.tick_params(axis="y", colors=INK, labelsize=9, length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#e4e0da", linewidth=0.7, zorder=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)


def _legend(figure: Any, trace: Trace, settles: bool, left: float) -> None:
    patch, line = viz_module("matplotlib.patches").Patch, viz_module("matplotlib.lines").Line2D
    inks = dict.fromkeys(foot_ink(trace, foot) for foot in range(len(trace.foot_names)))
    sides = {LEFT_INK: "left foot", RIGHT_INK: "right foot"}
    threshold = f"on the floor (> {100 * CONTACT:.0f} % of weight)"
    handles = [patch(facecolor=ink, label=f"{sides[ink]} {threshold}") for ink in inks]
    handles.append(patch(facecolor=FLIGHT_INK, label="flight: no foot on the floor"))
    if settles:
        handles.append(line([], [], color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label="figures count from here"))
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(left, 0.0),
        ncols=len(handles),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        borderaxespad=0.4,
        borderpad=0.0,
        handlelength=1.4,
        columnspacing=1.6,
    )


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Beginning and end of every run of true values of [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
