"""Checks that left mirrors right: bodies, outlines, sites, joint axes, servos and the home pose."""

from __future__ import annotations

import numpy as np

from mesozoic.species.acceptance.body import Body, Check, Vector, Verdict, failing
from mesozoic.species.simulator import mujoco

MIRROR = np.diag([1.0, -1.0, 1.0])
POSES = 4
DIRECTIONS = 6
EXACT, NEAR, OUTLINE = 1e-9, 1e-6, 3e-6
"""Metres: of joints and sites, of masses, of what can be seen."""
SERVO_FIELDS = ("ctrlrange", "forcerange", "gainprm", "biasprm", "gear")


def every_left_part_has_a_right_one(body: Body) -> Verdict:
    """Joints, bodies, sites and actuators are paired by name."""
    faults, pairs = [], 0
    for kind in ("joint", "body", "site", "actuator"):
        names = body.names(kind)
        for name in names:
            twin = name.replace("left", "right") if "left" in name else name.replace("right", "left")
            pairs += twin != name
            faults += [f"{kind} {name} has no twin {twin}"] if twin not in names else []
    faults += [] if pairs else ["no part has 'left' or 'right' in its name"]
    return failing("name or add it", faults, f"{pairs // 2} pairs")


def sides_mirror_each_other(body: Body) -> Verdict:
    """Equal joint values on both sides, in four random poses, give mirrored bodies, outlines, sites and joint axes."""
    if not (paired := every_left_part_has_a_right_one(body)).passed:
        return paired
    model = body.model
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(DIRECTIONS, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    joints = [(j, _twin(body, "joint", j)) for j, name in enumerate(body.names("joint")) if "left" in name]
    bodies = [(b, _twin(body, "body", b)) for b, name in enumerate(body.names("body")) if b and "right" not in name]
    sites = [(s, _twin(body, "site", s)) for s, name in enumerate(body.names("site")) if "left" in name]
    faults: list[str] = []
    data = body.fresh()

    def alike(what: str, one: Vector, other: Vector, error: float) -> None:
        if one.shape != other.shape:
            faults.append(f"{what} has another number of shapes than its twin")
        elif one.size and not (worst := float(np.abs(one - other).max())) <= error:
            faults.append(f"{what} is {worst:.2g} off its twin's mirror image")

    for _ in range(POSES):
        for j, k in joints:
            value = rng.uniform(*model.jnt_range[j])
            for one in (j, k):
                data.qpos[model.jnt_qposadr[one]] = value
        mujoco.mj_forward(model, data)
        for j, k in joints:
            name = model.joint(j).name
            alike(f"the anchor of {name}", data.xanchor[k], MIRROR @ data.xanchor[j], EXACT)
            # An axis is a pseudo-vector: mirrored, it also changes sign.
            alike(f"the axis of {name}", data.xaxis[k], -MIRROR @ data.xaxis[j], EXACT)
        for b, k in bodies:
            name = model.body(b).name
            alike(f"the mass of {name}", model.body_mass[[k]], model.body_mass[[b]], EXACT * model.body_mass[b])
            alike(f"the centre of mass of {name}", data.xipos[k], MIRROR @ data.xipos[b], NEAR)
            expected = MIRROR @ _world_inertia(body, data, b) @ MIRROR
            alike(f"the inertia of {name}", _world_inertia(body, data, k), expected, NEAR)
            outline = _outline(body, data, b, directions)
            alike(f"the outline of {name}", _outline(body, data, k, directions @ MIRROR), outline, OUTLINE)
        for s, k in sites:
            alike(f"site {model.site(s).name}", data.site_xpos[k], MIRROR @ data.site_xpos[s], EXACT)
    return failing("left and right differ", faults, f"{len(bodies)} bodies, {len(joints)} joints in {POSES} poses")


def home_is_symmetrical(body: Body) -> Verdict:
    """The torso stands on the middle line, and servos, ranges, damping and home of both sides are equal."""
    model, anatomy = body.model, body.anatomy
    faults = [] if anatomy.home_qpos[1] == 0.0 else [f"the home pose has y = {anatomy.home_qpos[1]:g}, not 0"]
    names, pairs = body.names("actuator"), 0
    for a, name in enumerate(names):
        if "left" not in name or name.replace("left", "right") not in names:
            continue
        pairs += 1
        b = names.index(name.replace("left", "right"))
        ja, jb = (int(model.actuator_trnid[one, 0]) for one in (a, b))
        da, db = (int(model.jnt_dofadr[one]) for one in (ja, jb))
        values = {
            "home servo target": (anatomy.home_ctrl[a], anatomy.home_ctrl[b]),
            "home angle": (anatomy.home_qpos[model.jnt_qposadr[ja]], anatomy.home_qpos[model.jnt_qposadr[jb]]),
            "joint range": (model.jnt_range[ja], model.jnt_range[jb]),
            "damping": (model.dof_damping[da], model.dof_damping[db]),
            "armature": (model.dof_armature[da], model.dof_armature[db]),
            "friction loss": (model.dof_frictionloss[da], model.dof_frictionloss[db]),
        }
        for field in SERVO_FIELDS:
            array = getattr(model, f"actuator_{field}")
            values[field] = (array[a], array[b])
        faults += [f"{what} of {name}" for what, (one, other) in values.items() if not np.array_equal(one, other)]
    return failing("left and right differ", faults, f"{pairs} pairs of servos")


def _twin(body: Body, kind: str, index: int) -> int:
    names = body.names(kind)
    return names.index(names[index].replace("left", "right"))


def _world_inertia(body: Body, data: mujoco.MjData, index: int) -> Vector:
    axes = data.ximat[index].reshape(3, 3)
    return np.asarray(axes @ np.diag(body.model.body_inertia[index]) @ axes.T)


def _outline(body: Body, data: mujoco.MjData, index: int, directions: Vector) -> Vector:
    """Reach of each geom of a body along each direction; rows sorted, so that order does not matter."""
    first, count = body.model.body_geomadr[index], body.model.body_geomnum[index]
    rows = [[body.reach(data, g, n) for n in directions] for g in range(first, first + count)]
    return np.array(sorted(np.round(rows, 6).tolist())) if rows else np.zeros((0, len(directions)))


CHECKS: tuple[Check, ...] = (every_left_part_has_a_right_one, sides_mirror_each_other, home_is_symmetrical)
