"""The footfall diagram shows what the trace holds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.evaluation.gait import measure_gait, settle_steps
from mesozoic.evaluation.gait_report import figures_line
from mesozoic.rendering.footfall_diagram import FLIGHT_INK, LEFT_INK, RIGHT_INK, draw_footfalls
from mesozoic.sim.trace import Trace


def draw(trace: Trace, path: Path) -> None:
    draw_footfalls(trace, 0, "Made up", path, figures_line(trace, 0, measure_gait(trace)), settle_steps(trace))


def pixels(path: Path) -> NDArray[np.uint8]:
    with importlib.import_module("PIL.Image").open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def widest_row(picture: NDArray[np.uint8], ink: str) -> NDArray[np.bool_]:
    """Where the row of pixels that has most of a colour has it."""
    colour = np.array([int(ink[i : i + 2], 16) for i in (1, 3, 5)])
    mask = (np.abs(picture.astype(int) - colour) <= 2).all(axis=2)
    return mask[mask.sum(axis=1).argmax()]


@pytest.fixture
def picture(walk: Any, make_trace: Any, tmp_path: Path) -> NDArray[np.uint8]:
    """A hop of 12 strides in 6 s: the left foot stands for the first 0.4 of each, the right one half as long."""
    contact = np.zeros((300, 2), bool)
    for begin in range(0, 300, 25):
        contact[begin : begin + 10, 0] = contact[begin : begin + 5, 1] = True
    trace = make_trace(walk(steps=300), walk(steps=20), contact=contact)
    draw_footfalls(
        trace,
        0,
        "Made up",
        tmp_path / "new" / "feet.png",
        figures_line(trace, 0, measure_gait(trace)),
        settle_steps(trace),
    )
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["feet.png"]
    return pixels(tmp_path / "new" / "feet.png")


def test_bars_are_where_the_feet_stand(picture: NDArray[np.uint8]) -> None:
    flight = widest_row(picture, FLIGHT_INK)
    columns = np.flatnonzero(flight | widest_row(picture, LEFT_INK))
    first, count = columns[0], columns[-1] - columns[0] + 1
    for ink, share in ((LEFT_INK, 0.4), (RIGHT_INK, 0.2), (FLIGHT_INK, 0.6)):
        row = widest_row(picture, ink)[first : first + count]
        assert row.mean() == pytest.approx(share, abs=0.03)
        beginnings = np.flatnonzero(row[1:] & ~row[:-1]) + 1
        wanted = count * (np.arange(12) / 12 + (0.4 / 12 if ink == FLIGHT_INK else 0.0))
        gaps = [np.abs(beginnings - at).min() for at in wanted[1:]]
        assert max(gaps) <= 2


def test_flight_is_no_bar(picture: NDArray[np.uint8]) -> None:
    assert not (widest_row(picture, FLIGHT_INK) & widest_row(picture, LEFT_INK)).any()


def test_the_line_of_figures(walk: Any, make_trace: Any) -> None:
    trace = make_trace(walk(), walk(steps=20))
    gait = measure_gait(trace)
    line = figures_line(trace, 0, gait)
    for part in ("1.00 m/s (Froude 0.25)", "left 0.60, right 0.60", "alternation 1.00", "flight 0 %"):
        assert part in line
    assert "left none, right none" in figures_line(trace, 1, gait)


@pytest.mark.parametrize(("steps", "lags"), [(1, (0.0, 0.5)), (20, (0.0, 0.5)), (400, (0.0, 0.5, 0.25, 0.75))])
def test_draws_any_episode(
    walk: Any, make_trace: Any, tmp_path: Path, steps: int, lags: tuple[float, ...], recwarn: pytest.WarningsRecorder
) -> None:
    trace = make_trace(walk(steps=steps, lags=lags), walk(lags=lags))
    draw_footfalls(
        trace, 0, "Made up", tmp_path / "feet.png", figures_line(trace, 0, measure_gait(trace)), settle_steps(trace)
    )
    assert pixels(tmp_path / "feet.png").shape[1] > 800
    assert not list(recwarn)


def test_without_the_extra_names_it(
    monkeypatch: pytest.MonkeyPatch, walk: Any, make_trace: Any, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    trace = make_trace(walk())
    with pytest.raises(UserError, match=r"needs the \[viz\] extra"):
        draw_footfalls(
            trace, 0, "Made up", tmp_path / "feet.png", figures_line(trace, 0, measure_gait(trace)), settle_steps(trace)
        )
    assert not list(tmp_path.iterdir())


def test_refuses_a_place_that_cannot_be_written(walk: Any, make_trace: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trace = make_trace(walk())
    with pytest.raises(UserError, match=r"cannot write .*; give another path"):
        draw_footfalls(
            trace,
            0,
            "Made up",
            tmp_path / "file" / "feet.png",
            figures_line(trace, 0, measure_gait(trace)),
            settle_steps(trace),
        )
