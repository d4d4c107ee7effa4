"""Gait figures from floor contact: how an animal really moves, whatever its reward says.

All figures are per episode and leave out the first moments, in which the animal starts from rest.
Definitions follow Hildebrand 1965 (Science 150:701, duty factor and phase of footfalls) and Alexander
1976 (Nature 261:129, Froude number and relative stride length).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mesozoic.sim.trace import Trace
from mesozoic.task.walk_terms import CONTACT

BOUNCE = 2
"""Control steps; a contact or a gap shorter than this makes no footfall of its own."""
SETTLE = 4.0
"""Left out at the beginning, in units of sqrt(h/g): about one stride and a half."""
HALF_STRIDE = (0.25, 0.75)
"""Where in the stride of one foot the other one must touch down for the two to alternate."""
MIN_STRIDES = 3
"""With fewer strides than this, a pair of feet has no gait."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gait:
    """Figures of `m` episodes. An episode that is over before it settled has speed 0, alternation 0, flight NaN.

    Attributes:
        speed [m]: progress towards the target, in units of sqrt(g*h).
        froude [m]: speed^2, v^2/(g*h) (0 for a retreat).
        flight [m]: share of time with no foot on the floor.
        alternation [m]: share of strides in which the foot of the other side touches down once, half a
            stride later (0.25 to 0.75); 0 if a pair of feet makes fewer than three strides.
        drift [m]: sideways over forward displacement; infinite without progress.
        heading_drift [m]: change of heading from beginning to end, degrees.
        duty [m, nfeet]: share of time that each foot is on the floor.
        phase [m, nfeet]: touchdown of each foot within the stride of the first one, 0 to 1; NaN without strides.
        stride_frequency [m]: strides per second; stride_length [m]: in hip heights, NaN without strides.
        slip [m]: mean horizontal speed of feet on the floor, each moment weighted by the load on the foot
            (what skating costs is friction times that speed), in units of sqrt(g*h).
        cost_of_transport [m]: mechanical energy per weight and distance; infinite without progress.
    """

    speed: Values
    froude: Values
    flight: Values
    alternation: Values
    drift: Values
    heading_drift: Values
    duty: Values
    phase: Values
    stride_frequency: Values
    stride_length: Values
    slip: Values
    cost_of_transport: Values

    def means(self, foot_names: tuple[str, ...]) -> dict[str, float]:
        """Mean of each figure over the episodes in which it is finite, name -> value; NaN if there is none.

        Per-foot figures are named `duty/left`; phases are averaged on the circle.
        """
        result: dict[str, float] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            if field.name == "phase":
                result |= {f"phase/{foot}": circular_mean(values[:, i]) for i, foot in enumerate(foot_names)}
            elif values.ndim == 2:
                result |= {f"{field.name}/{foot}": _mean(values[:, i]) for i, foot in enumerate(foot_names)}
            else:
                result[field.name] = _mean(values)
        return result


def footfalls(load: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Contact of one foot [T] from its load, without bounces: short gaps are closed, then short contacts dropped."""
    contact = load > CONTACT
    for value in (False, True):
        contact = _drop_short(contact, value)
    return contact


def touchdowns(contact: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Steps at which a foot lands; one that stands from the beginning does not land."""
    return np.flatnonzero(contact[1:] & ~contact[:-1]) + 1


def measure_gait(trace: Trace) -> Gait:
    """Gait figures of every episode of a trace."""
    rows = [_measure(trace, i) for i in range(len(trace.length))]
    return Gait(**{field.name: np.array([row[field.name] for row in rows]) for field in fields(Gait)})


def settle_steps(trace: Trace) -> int:
    """Control steps that the figures leave out."""
    return math.ceil(SETTLE * trace.hip_height / trace.speed_unit / trace.dt)


def _measure(trace: Trace, i: int) -> dict[str, object]:
    feet = len(trace.foot_names)
    start, end = settle_steps(trace), _finite_steps(trace, i)
    nothing: dict[str, object] = {
        "speed": 0.0,
        "froude": 0.0,
        "flight": math.nan,
        "alternation": 0.0,
        "drift": math.inf,
        "heading_drift": math.nan,
        "duty": np.full(feet, math.nan),
        "phase": np.full(feet, math.nan),
        "stride_frequency": 0.0,
        "stride_length": math.nan,
        "slip": math.nan,
        "cost_of_transport": math.inf,
    }
    if end - start < 2:
        return nothing
    load = trace.foot_load[start:end, i]
    loaded = load > CONTACT
    seconds = (end - 1 - start) * trace.dt
    moved = (trace.torso_pos[end - 1, i, :2] - trace.torso_pos[start, i, :2]).astype(float)
    ahead = trace.direction[i].astype(float)
    forward, aside = float(moved @ ahead), float(moved[1] * ahead[0] - moved[0] * ahead[1])
    speed = forward / seconds / trace.speed_unit
    turned = trace.yaw[end - 1, i] - trace.yaw[start, i]
    landings = [touchdowns(footfalls(load[:, foot])) for foot in range(feet)]
    strides = [len(times) - 1 for times in landings if len(times) > 1]
    spans = [int(times[-1] - times[0]) for times in landings if len(times) > 1]
    frequency = sum(strides) / (sum(spans) * trace.dt) if strides else 0.0
    steps = np.linalg.norm(np.diff(trace.foot_pos[start:end, i, :, :2], axis=0), axis=2) / trace.dt
    planted = np.where(loaded[1:] & loaded[:-1], load[1:], 0.0)
    result = nothing | {
        "speed": speed,
        "froude": max(speed, 0.0) ** 2,
        "flight": float((~loaded.any(axis=1)).mean()),
        "alternation": _alternation(landings, trace.foot_mirror),
        "heading_drift": math.degrees(abs(math.atan2(math.sin(turned), math.cos(turned)))),
        "duty": loaded.mean(axis=0),
        "phase": np.array([_phase(landings[0], times) for times in landings]),
        "stride_frequency": frequency,
        "slip": float((steps * planted).sum() / planted.sum() / trace.speed_unit) if planted.any() else math.nan,
    }
    if frequency > 0.0:
        result["stride_length"] = speed * trace.speed_unit / frequency / trace.hip_height
    if forward > 0.0:
        result["drift"] = abs(aside) / forward
        result["cost_of_transport"] = float(trace.power[start:end, i].mean()) * seconds / (trace.weight * forward)
    return result


def _finite_steps(trace: Trace, i: int) -> int:
    """Steps of episode `i` before its physics broke down, if it did."""
    end = int(trace.length[i])
    parts = (trace.foot_load, trace.foot_pos, trace.torso_pos, trace.yaw, trace.power)
    broken = [~np.isfinite(part[:end, i].reshape(end, -1)).all(axis=1) for part in parts]
    steps = np.flatnonzero(np.logical_or.reduce(broken))
    return int(steps[0]) if len(steps) else end


def _alternation(landings: list[NDArray[np.int64]], mirror: NDArray[np.int64]) -> float:
    """Share of all strides that are alternating; 0 if the feet of a pair hardly step, like dragged hind feet."""
    strides = np.zeros(len(landings), dtype=np.int64)
    good = 0
    for foot, times in enumerate(landings):
        other = landings[mirror[foot]]
        for begin, end in itertools.pairwise(times):
            inside = other[(other > begin) & (other <= end)]
            strides[foot] += 1
            good += len(inside) == 1 and HALF_STRIDE[0] <= (inside[0] - begin) / (end - begin) <= HALF_STRIDE[1]
    if (strides + strides[mirror]).min() < MIN_STRIDES:
        return 0.0
    return good / int(strides.sum())


def _phase(first: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Circular mean of where in the strides of one foot another one lands."""
    phases = [
        (time - begin) / (end - begin)
        for begin, end in itertools.pairwise(first)
        for time in other[(other >= begin) & (other < end)]
    ]
    return circular_mean(np.array(phases))


def circular_mean(phases: Values) -> float:
    """Mean of the finite phases on the circle, in [0, 1); NaN if there is none."""
    phases = phases[np.isfinite(phases)]
    if not len(phases):
        return math.nan
    mean = np.exp(2j * math.pi * phases).mean()
    return float(np.angle(mean) / (2 * math.pi)) % 1.0 % 1.0  # -1e-17 % 1 is 1


def _mean(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _drop_short(contact: NDArray[np.bool_], value: bool) -> NDArray[np.bool_]:
    """Turn runs of `value` shorter than BOUNCE into their surroundings; those at the edges stay."""
    contact = contact.copy()
    edges = np.flatnonzero(np.diff(contact)) + 1
    for begin, end in itertools.pairwise(edges):
        if contact[begin] == value and end - begin < BOUNCE:
            contact[begin:end] = not value
    return contact
