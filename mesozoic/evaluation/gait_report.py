"""The gait of an evaluation as a table, as a line and as a name: every figure with its unit and meaning."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesozoic.evaluation.gait import HALF_STRIDE, Gait, circular_mean
from mesozoic.sim.trace import Trace

SPREAD = (5.0, 95.0)
"""Percentiles across episodes between which the spread lies."""
TROT = 0.5
COUPLED = 1 / 16
"""Feet land together, for a name, if they land within this share of a stride of one another."""

Values = NDArray[np.float64]


class GaitRow(NamedTuple):
    """One figure across episodes.

    Attributes:
        name: what is printed.
        mean, low, high: mean and 5 % and 95 % percentile of the episodes in which it is finite, else NaN.
        episodes: how many those are.
        meaning: its unit and what it measures.
    """

    name: str
    mean: float
    low: float
    high: float
    episodes: int
    meaning: str


def gait_table(trace: Trace, gait: Gait) -> list[GaitRow]:
    """Every gait figure of the episodes of `trace`, in reading order.

    Phases are averaged on the circle; the ends of their spread lie around the mean and may therefore lie
    outside of 0 to 1.
    """
    metres = gait.stride_length * trace.hip_height
    feet = [name.replace("_", " ") for name in trace.foot_names]
    return [
        _row("speed", gait.speed * trace.speed_unit, "m/s towards the target"),
        _row("Froude number", gait.froude, "v^2/(g*h)"),
        _row("stride frequency", gait.stride_frequency, "Hz"),
        _row("relative stride length", gait.stride_length, "hip heights"),
        _row("stride length", metres, "m"),
        *(_row(f"duty factor {foot}", gait.duty[:, i], "share of time on the floor") for i, foot in enumerate(feet)),
        *(_phase_row(f"phase {foot}", gait.phase[:, i], f"strides after {feet[0]}") for i, foot in enumerate(feet)),
        _row("flight", gait.flight, "share of time in the air"),
        _row("alternation", gait.alternation, "share of strides"),
        _row("slip", gait.slip * trace.speed_unit, "m/s of loaded feet"),
        _row("cost of transport", gait.cost_of_transport, "energy/(weight*distance)"),
        _row("drift", gait.drift, "sideways over forward"),
        _row("heading drift", gait.heading_drift, "degrees"),
    ]


def figures_line(trace: Trace, episode: int, gait: Gait) -> str:
    """The gait of one episode in a line, for its diagram: speed, duty factors, alternation and share of flight."""
    feet = zip(trace.foot_names, gait.duty[episode], strict=True)
    duty = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in feet)
    speed = gait.speed[episode] * trace.speed_unit
    return (
        f"{speed:.2f} m/s (Froude {gait.froude[episode]:.2f})   duty factor {duty}"
        f"   alternation {gait.alternation[episode]:.2f}   flight {100 * gait.flight[episode]:.0f} %"
    )


def footfall_sequence(trace: Trace, gait: Gait) -> str | None:
    """Order in which the feet of a quadruped land, from its left hind foot, and the name of that gait.

    Hildebrand 1965 (Science 150:701) names symmetrical gaits by how much of a stride a fore foot lands
    after the hind foot of its side, in sixteenths (here without his finer division by couplets):

    | fore after hind | name |
    | --- | --- |
    | 0 +- 1/16 | pace: the feet of a side together |
    | 1/16 to 7/16 | lateral sequence: the fore foot of the same side is next |
    | 1/2 +- 1/16 | trot: diagonal feet together |
    | 9/16 to 15/16 | diagonal sequence: the fore foot of the other side is next |

    A gait is symmetrical here if both pairs of feet land about half a stride apart, as for `alternation`.
    None for an animal without hind and front feet on both sides, or without strides.
    """
    names = trace.foot_names
    foot = {
        (end, side): [i for i, name in enumerate(names) if end in name and side in name]
        for end in ("hind", "front")
        for side in ("left", "right")
    }
    if len(names) != 4 or any(len(found) != 1 for found in foot.values()):
        return None
    at = {key: gait.phase[:, found[0]] for key, found in foot.items()}
    mean = {key: circular_mean((phase - at["hind", "left"]) % 1.0) for key, phase in at.items()}
    if not all(math.isfinite(value) for value in mean.values()):
        return None
    order = ", ".join(f"{side} {end}" for end, side in sorted(mean, key=lambda key: mean[key]))
    apart = [circular_mean((at[end, "right"] - at[end, "left"]) % 1.0) for end in ("hind", "front")]
    if not all(HALF_STRIDE[0] <= value <= HALF_STRIDE[1] for value in apart):
        return f"{order}: asymmetrical"
    lags = np.concatenate([(at["front", side] - at["hind", side]) % 1.0 for side in ("left", "right")])
    lag = circular_mean(lags)
    return f"{order}: {sequence_name(lag)}, each fore foot {lag:.2f} strides after the hind foot of its side"


def sequence_name(lag: float) -> str:
    """Name of a symmetrical gait whose fore feet land `lag` strides, 0 to 1, after the hind feet of their side."""
    if min(lag, 1.0 - lag) <= COUPLED:
        return "pace"
    if abs(lag - TROT) <= COUPLED:
        return "trot"
    return "lateral sequence" if lag < TROT else "diagonal sequence"


def _row(name: str, values: Values, meaning: str) -> GaitRow:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return GaitRow(name, math.nan, math.nan, math.nan, 0, meaning)
    low, high = np.percentile(finite, SPREAD)
    return GaitRow(name, float(finite.mean()), float(low), float(high), len(finite), meaning)


def _phase_row(name: str, phases: Values, meaning: str) -> GaitRow:
    mean = circular_mean(phases)
    around = _row(name, (phases - mean + 0.5) % 1.0 - 0.5 + mean, meaning)
    return around._replace(mean=mean)


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "none"
