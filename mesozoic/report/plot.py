"""Curves of runs as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from mesozoic.errors import UserError, shown
from mesozoic.files import replacing
from mesozoic.report.chart import sheet_of
from mesozoic.report.panels import check_metrics, panels_of
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
        metrics: see `panels_of`; a stage without any of them has no file.

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
    check_metrics(runs, metrics)
    groups = [list(group) for _, group in groupby(runs, key=lambda run: (run.species, run.stage))]
    drawn = [(group, panels_of(group, metrics)) for group in groups]
    sheets = [(group, sheet_of(panels, [run.name for run in group])) for group, panels in drawn if panels]
    if not sheets:
        raise UserError("none of these has been evaluated yet; name a column of training.csv with --metric")
    written = []
    for group, sheet in sheets:
        first, several = group[0], len(sheets) > 1
        species = f"-{first.species}" if len({run.species for run in runs}) > 1 else ""
        path = output.with_stem(f"{output.stem}{species}-stage{first.stage}") if several else output
        with replacing(path) as aside:
            if path.suffix == ".png":
                draw_png(sheet, aside)
            else:
                aside.write_text(to_svg(sheet, f"curves of {first.species} stage {first.stage}", lone=True), "utf-8")
        written.append(path)
    return written
