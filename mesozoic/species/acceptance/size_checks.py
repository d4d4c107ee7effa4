"""Checks that the model has the sizes that its facts name, each with a source."""

from __future__ import annotations

import math

import numpy as np

from mesozoic.species.acceptance.body import Body, Check, Verdict, failing

TOLERANCE = 0.10
"""A size `q` holds within this share; `q min` and `q max` bound it."""
HIP_ERROR = 0.02
"""Metres that `hip_height` may be off the hips of the model."""
UNITS = ("m", "kg", "rad", "s", "m/s")
NEEDED = ("body length", "body mass", "hip height")
LIMBS = (
    ("femur length", "hip_pitch", "knee"),
    ("tibia length", "knee", "ankle"),
    ("metatarsus length", "ankle", "toe"),
    ("humerus length", "shoulder_pitch", "elbow"),
)
"""Lengths between two joints of one limb, by the ends of their names."""


def hip_height_is_that_of_the_model(body: Body) -> Verdict:
    """The mean height of the joints named `*hip_pitch` at home is `hip_height`."""
    measured = body.hip_height(body.home)
    if math.isnan(measured):
        return Verdict(False, "no joint is named *hip_pitch")
    good = abs(measured - body.species.hip_height) < HIP_ERROR
    return Verdict(
        good, f"{measured:.3f} m, hip_height says {body.species.hip_height:g} m; wanted within {HIP_ERROR:g}"
    )


def sizes_hold_and_name_a_source(body: Body) -> Verdict:
    """The sizes of the facts, those of the animal at full size."""
    figures = {
        quantity: value / body.species.scale ** (3 if quantity == "body mass" else 1)
        for quantity, value in _measured(body).items()
    }
    faults, checked = [], set()
    for size in body.species.sizes:
        quantity = size.quantity.removesuffix(" min").removesuffix(" max")
        checked.add(quantity)
        if size.unit not in UNITS:
            faults.append(f"{size.quantity}: the unit '{size.unit}' is none of {', '.join(UNITS)}")
        elif quantity not in figures:
            faults.append(f"{size.quantity} cannot be measured on the model ({', '.join(figures)} can)")
        elif not _holds(size.quantity, figures[quantity], size.value):
            faults.append(f"{size.quantity} is {size.value:g} {size.unit}, but the model has {figures[quantity]:.3g}")
    faults += [f"there is no size for {quantity}" for quantity in NEEDED if quantity not in checked]
    return failing(
        "sizes of facts.toml",
        faults,
        ", ".join(f"{name} {figures[name]:.3g}" for name in sorted(checked & set(figures))),
    )


def _holds(quantity: str, measured: float, value: float) -> bool:
    if quantity.endswith(" min"):
        return measured >= value
    if quantity.endswith(" max"):
        return measured <= value
    return abs(measured - value) <= TOLERANCE * value


def _measured(body: Body) -> dict[str, float]:
    """The model's own figures, named as in `sizes`: metres and kilograms."""
    data, x = body.home, np.array([1.0, 0.0, 0.0])
    figures = {
        "body length": max(body.reach(data, g, x) for g in body.parts)
        + max(body.reach(data, g, -x) for g in body.parts),
        "body mass": body.anatomy.mass,
        "hip height": body.hip_height(data),
    }
    joints = body.names("joint")
    for quantity, upper, lower in LIMBS:
        # The pair of a hind leg if there are four legs; names are `left_knee` or `hind_left_knee`.
        ends = [n for n in joints if n.endswith(f"left_{upper}") and n.removesuffix(upper) + lower in joints]
        ends = [n for n in ends if "front" not in n] or ends
        if ends:
            points = [data.xanchor[joints.index(n)] for n in (ends[0], ends[0].removesuffix(upper) + lower)]
            figures[quantity] = float(np.linalg.norm(points[0] - points[1]))
    sites = body.names("site")
    if {"head", "nape"} <= set(sites):
        tips = [data.site_xpos[sites.index(n)] for n in ("head", "nape")]
        figures["skull length"] = float(np.linalg.norm(tips[0] - tips[1]))
    return figures


CHECKS: tuple[Check, ...] = (hip_height_is_that_of_the_model, sizes_hold_and_name_a_source)
