"""Checks of feet and floor: only feet touch, at home they just do, and their sensors see all of the weight."""

from __future__ import annotations

import numpy as np

from mesozoic.species.acceptance.body import GEOM_TYPES, Body, Check, Verdict, failing
from mesozoic.species.simulator import mujoco

TOUCH = 5e-4
"""Metres that the lowest point of a foot may be off the floor at home."""
WEIGHT_ERROR = 0.02
LIGHTEST_FOOT = 0.05
"""Shares of body weight: by how much the feet may miss it together, and what each must carry at rest."""
HIGHEST_FOOT = 0.15
"""Of the centre of a foot's geoms at home, in hip heights."""
PRIMITIVES = ("mjGEOM_SPHERE", "mjGEOM_CAPSULE", "mjGEOM_ELLIPSOID", "mjGEOM_BOX", "mjGEOM_CYLINDER")


def feet_are_simple_shapes(body: Body) -> Verdict:
    """Meshes and height fields cost many contacts, and not every engine takes them."""
    known = {int(getattr(GEOM_TYPES, kind)) for kind in PRIMITIVES}
    faults = [body.model.geom(g).name for g in sorted(body.feet) if int(body.model.geom_type[g]) not in known]
    return failing("no sphere, capsule, ellipsoid, box or cylinder", faults, f"{len(body.feet)} geoms")


def feet_touch_the_floor_at_home(body: Body) -> Verdict:
    """The lowest point of each foot is the floor's height."""
    feet = zip(body.species.feet, body.anatomy.foot_geoms, strict=True)
    gaps = {foot.name: min(map(body.lowest, geoms)) for foot, geoms in feet}
    text = ", ".join(f"{name} {1000 * gap:+.2f} mm" for name, gap in gaps.items())
    return Verdict(max(map(abs, gaps.values())) < TOUCH, f"{text}; wanted within {1000 * TOUCH:g} mm")


def nothing_but_feet_touches_the_floor_at_home(body: Body) -> Verdict:
    """All other parts are above it."""
    others = {g: body.lowest(g) for g in body.parts if g not in body.feet}
    if not others:
        return Verdict(False, "the animal has no part besides its feet")
    lowest = min(others, key=lambda g: others[g])
    name = body.model.geom(lowest).name or f"one of body {body.model.body(int(body.model.geom_bodyid[lowest])).name}"
    return Verdict(others[lowest] > 0.0, f"lowest other geom: {name}, {1000 * others[lowest]:.1f} mm above the floor")


def feet_have_one_height_on_both_sides(body: Body) -> Verdict:
    """The centre of a foot, from which its lifting is measured, is low and as high left as right."""
    heights, hip = body.anatomy.foot_height.astype(float), body.anatomy.hip_height
    uneven = float(np.abs(heights[body.anatomy.foot_mirror] - heights).max())
    good = (heights > 0.0).all() and (heights < HIGHEST_FOOT * hip).all() and uneven < 1e-5 * heights.max()
    text = ", ".join(f"{value / hip:.3f}" for value in heights)
    return Verdict(bool(good), f"{text} hip heights; wanted above 0, below {HIGHEST_FOOT:g}, sides alike")


def only_feet_collide_and_only_with_the_floor(body: Body) -> Verdict:
    """Every other pair of geoms costs time in each step and can push the animal apart."""
    model = body.model
    kind, affinity = model.geom_contype.astype(int), model.geom_conaffinity.astype(int)
    able = {
        (a, b)
        for a, b in zip(*np.nonzero((kind[:, None] & affinity) | (affinity[:, None] & kind)), strict=True)
        if a < b
    }
    wanted = {(min(body.floor, g), max(body.floor, g)) for g in body.feet}
    names = body.names("geom")
    faults = [f"{names[a] or f'geom {a}'} can touch {names[b] or f'geom {b}'}" for a, b in sorted(able - wanted)]
    faults += [f"{names[max(pair)]} cannot touch {names[min(pair)]}" for pair in sorted(wanted - able)]
    faults += ["there are explicit contact pairs"] if model.npair else []
    return failing("set contype and conaffinity", faults, f"{len(wanted)} pairs of foot and floor")


def every_contact_while_standing_is_with_the_floor(body: Body) -> Verdict:
    """One second of standing still."""
    data, seen, wrong = body.fresh(), 0, 0
    for _ in range(body.steps(1.0)):
        with_floor = (data.contact.geom == body.floor).any(axis=1)
        seen, wrong = seen + data.ncon, wrong + int((~with_floor).sum())
        mujoco.mj_step(body.model, data)
    return Verdict(seen > 0 and wrong == 0, f"{seen} contacts, {wrong} without the floor")


def feet_carry_the_weight(body: Body) -> Verdict:
    """What the foot sensors report at rest is the weight, and no foot is idle."""
    weight = body.anatomy.weight
    loads = np.array([sum(body.rest.sensordata[i] for i in sensors) for sensors in body.anatomy.foot_sensors])
    shares = loads / weight
    good = abs(shares.sum() - 1.0) <= WEIGHT_ERROR and (shares > LIGHTEST_FOOT).all()
    each = ", ".join(f"{share:.3f}" for share in shares)
    return Verdict(bool(good), f"{shares.sum():.3f} of the weight ({each}); wanted within {WEIGHT_ERROR:g} of 1")


def mass_lies_over_the_feet(body: Body) -> Verdict:
    """At home the centre of mass is over the middle half of the support, fore and aft and sideways."""
    centre = body.home.subtree_com[body.anatomy.torso_id]
    offsets = []
    for axis in (0, 1):
        unit = np.eye(3)[axis]
        high = max(body.reach(body.home, g, unit) for g in body.feet)
        low = min(-body.reach(body.home, g, -unit) for g in body.feet)
        offsets.append(float((centre[axis] - (high + low) / 2) / (high - low)))
    text = f"{offsets[0]:+.3f} of the support's length, {offsets[1]:+.3f} of its width from its middle"
    return Verdict(max(map(abs, offsets)) < 0.25, f"{text}; wanted within 0.25")


CHECKS: tuple[Check, ...] = (
    feet_are_simple_shapes,
    feet_touch_the_floor_at_home,
    nothing_but_feet_touches_the_floor_at_home,
    feet_have_one_height_on_both_sides,
    only_feet_collide_and_only_with_the_floor,
    every_contact_while_standing_is_with_the_floor,
    feet_carry_the_weight,
    mass_lies_over_the_feet,
)
