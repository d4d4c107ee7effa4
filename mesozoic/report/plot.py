"""Curves of runs as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from mesozoic.errors import UserError, shown
from mesozoic.files import replacing
from mesozoic.report.chart import sheet_of
from mesozoic.report.panels import panels_of
from mesozoic.report.raster import draw_png
from mesozoic.report.runs import read_runs
from mesozoic.report.svg import to_svg

ENDS = (".svg", ".png")


def plot_runs(
    sources: Sequence[Path], output: Path, stage: int | None = None, metrics: Sequence[str] = ()
) -> list[Path]:
    """Draw the curves of runs, a file for each stage: median and range of the seeds, gates and baselines as lines.

    Args:
        output: ends in .svg or .png; where there are several stages, each has `-stage<N>` in its name.
        metrics: see `panels_of`.

    Returns:
        The files.

    Raises:
        UserError: there is no such run or metric, no run has curves, or nothing can be written there.
    """
    if output.suffix not in ENDS:
        raise UserError(f"'{shown(str(output), 120)}' does not end in .svg or .png; give a file name that does")
    runs = [run for run in read_runs(sources, stage) if run.rows]
    if not runs:
        raise UserError("none of these has curves (a training.csv in its stage's folder); give folders of trainings")
    groups = [list(group) for _, group in groupby(runs, key=lambda run: (run.species, run.stage))]
    sheets = [(group, sheet_of(panels_of(group, metrics), [run.name for run in group])) for group in groups]
    written = []
    for group, sheet in sheets:
        first, several = group[0], len(groups) > 1
        species = f"-{first.species}" if len({run.species for run in runs}) > 1 else ""
        path = output.with_stem(f"{output.stem}{species}-stage{first.stage}") if several else output
        with replacing(path) as aside:
            if path.suffix == ".png":
                draw_png(sheet, aside)
            else:
                aside.write_text(to_svg(sheet, f"curves of {first.species} stage {first.stage}", lone=True), "utf-8")
        written.append(path)
    return written
