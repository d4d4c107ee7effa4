"""What every animal must satisfy before anything learns on it.

The measurements come from the compiled model alone, so that one file serves all species. Elements
of the two sides are paired by name: `left` becomes `right`.
"""

from __future__ import annotations

from functools import cache

import mujoco
import numpy as np
import pytest
from mjbatch import Batch
from numpy.typing import NDArray

from mesozoic.species import Species, get_species, species_names
from mesozoic.species.anatomy import CONTROL_PERIOD, Anatomy, anatomy_of

TOUCH = 5e-4
"""Metres that the lowest point of the feet may be off the floor at home."""
MIRROR = np.diag([1.0, -1.0, 1.0])
GEOM, JOINT, BODY, SITE = (getattr(mujoco.mjtObj, f"mjOBJ_{kind}") for kind in ("GEOM", "JOINT", "BODY", "SITE"))
HINGE = mujoco.mjtJoint.mjJNT_HINGE

Vector = NDArray[np.float64]


@cache
def _load(name: str) -> tuple[Species, mujoco.MjModel, Anatomy]:
    species = get_species(name)
    model = species.load_model()
    return species, model, anatomy_of(species, model)


@pytest.fixture(params=species_names())
def animal(request: pytest.FixtureRequest) -> tuple[Species, mujoco.MjModel, Anatomy]:
    return _load(request.param)


def _home(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    return data


def _stand(model: mujoco.MjModel, seconds: float) -> mujoco.MjData:
    """The animal after `seconds` of zero action from home, without noise."""
    data = _home(model)
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)
    mujoco.mj_forward(model, data)
    return data


def _named(model: mujoco.MjModel, kind: mujoco.mjtObj, count: int) -> list[str]:
    return [mujoco.mj_id2name(model, kind, i) or "" for i in range(count)]


def _reach(model: mujoco.MjModel, data: mujoco.MjData, geom: int, direction: Vector) -> float:
    """How far a geom extends along a world direction, measured from the world origin."""
    local = data.geom_xmat[geom].reshape(3, 3).T @ direction
    size, kind = model.geom_size[geom], model.geom_type[geom]
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        extent = size[0]
    elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        extent = size[0] + size[1] * abs(local[2])
    elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        extent = np.linalg.norm(size * local)
    elif kind == mujoco.mjtGeom.mjGEOM_BOX:
        extent = size @ np.abs(local)
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        extent = size[0] * np.hypot(local[0], local[1]) + size[1] * abs(local[2])
    else:
        raise AssertionError(f"geom {geom}: type {kind} is not a primitive that MJX takes")
    return float(data.geom_xpos[geom] @ direction + extent)


def _lowest(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> float:
    return -_reach(model, data, geom, np.array([0.0, 0.0, -1.0]))


def _foot_geoms(species: Species, model: mujoco.MjModel) -> set[int]:
    return {model.geom(name).id for foot in species.feet for name in foot.geoms}


def _animal_geoms(model: mujoco.MjModel) -> list[int]:
    return [g for g in range(model.ngeom) if model.geom_bodyid[g] != 0]


def _hip_height(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    hips = [j for j, name in enumerate(_named(model, JOINT, model.njnt)) if name.endswith("hip_pitch")]
    assert hips, "no joint is named *hip_pitch"
    return float(np.mean(data.xanchor[hips, 2]))


def _tilt(quaternion: Vector) -> Vector:
    """Angle in radians between the torso's z axis and the vertical."""
    _, x, y, _ = np.moveaxis(quaternion, -1, 0)
    return np.asarray(np.arccos(np.clip(1.0 - 2.0 * (x * x + y * y), -1.0, 1.0)))


def _check_standing(model: mujoco.MjModel, anatomy: Anatomy, qpos: Vector) -> None:
    """Every row of `qpos` is an animal within 10 % of its height and 15 degrees of upright."""
    assert np.isfinite(qpos).all()
    height, home = qpos[:, 2], anatomy.home_qpos[2]
    assert np.abs(height / home - 1.0).max() < 0.10
    assert np.degrees(_tilt(qpos[:, 3:7])).max() < 15.0


def test_names_in_facts_exist_and_period_is_common(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    species, model, anatomy = animal
    assert anatomy.dt == pytest.approx(CONTROL_PERIOD) == pytest.approx(0.02)
    assert model.jnt_type[model.body_jntadr[anatomy.torso_id]] == mujoco.mjtJoint.mjJNT_FREE
    assert len(species.strike_sites) > 0
    assert min(mujoco.mj_name2id(model, SITE, name) for name in (*species.strike_sites, "head")) >= 0
    assert all(mujoco.mj_name2id(model, GEOM, name) >= 0 for foot in species.feet for name in foot.geoms)
    assert model.camera("side").mode[0] == mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM
    assert (anatomy.action_scale > 0).all()


def test_no_number_is_reset_and_no_servo_target_clipped(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    """A diverged world must stay visible, and zero action must be a target inside its range."""
    _, model, anatomy = animal
    assert model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_AUTORESET
    assert (anatomy.home_ctrl > anatomy.ctrl_low).all() and (anatomy.home_ctrl < anatomy.ctrl_high).all()


def test_home_touches_floor_with_feet_only(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    species, model, _ = animal
    data = _home(model)
    feet = _foot_geoms(species, model)
    for foot in species.feet:
        assert abs(min(_lowest(model, data, model.geom(name).id) for name in foot.geoms)) < TOUCH, foot.name
    assert min(_lowest(model, data, g) for g in _animal_geoms(model) if g not in feet) > 0.0


def test_feet_have_one_height_at_home_on_both_sides(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    """The height from which lifting a foot is measured: the centre of its geoms, just above the floor."""
    species, model, anatomy = animal
    data = _home(model)
    for foot, geoms, height in zip(species.feet, anatomy.foot_geoms, anatomy.foot_height, strict=True):
        assert [model.geom(g).name for g in geoms] == list(foot.geoms)
        assert height == pytest.approx(data.geom_xpos[list(geoms), 2].mean(), rel=1e-5)
    assert (anatomy.foot_height > 0.0).all()
    assert (anatomy.foot_height < 0.15 * anatomy.hip_height).all()
    np.testing.assert_allclose(anatomy.foot_height[anatomy.foot_mirror], anatomy.foot_height, rtol=1e-5)


def test_only_feet_can_collide_and_only_with_floor(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    species, model, _ = animal
    floor = model.geom("floor").id
    able = {
        (a, b)
        for a in range(model.ngeom)
        for b in range(a + 1, model.ngeom)
        if (model.geom_contype[a] & model.geom_conaffinity[b]) | (model.geom_contype[b] & model.geom_conaffinity[a])
    }
    assert able == {(min(floor, g), max(floor, g)) for g in _foot_geoms(species, model)}
    assert model.npair == 0


def test_every_contact_while_standing_involves_floor(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, _ = animal
    floor = model.geom("floor").id
    data = _home(model)
    seen = 0
    for _ in range(round(1.0 / model.opt.timestep)):
        assert (data.contact.geom == floor).any(axis=1).all()
        seen += data.ncon
        mujoco.mj_step(model, data)
    assert seen > 0


def test_feet_carry_the_weight_at_rest(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, anatomy = animal
    data = _stand(model, 2.0)
    feet = np.array([sum(data.sensordata[i] for i in sensors) for sensors in anatomy.foot_sensors])
    assert feet.sum() == pytest.approx(anatomy.weight, rel=0.02)
    assert (feet > 0.05 * anatomy.weight).all()


def test_com_stands_inside_feet_at_home(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    """The centre of mass lies over the middle half of the support, fore and aft and sideways."""
    species, model, anatomy = animal
    data = _home(model)
    com = data.subtree_com[anatomy.torso_id]
    for axis in (0, 1):
        unit = np.eye(3)[axis]
        feet = _foot_geoms(species, model)
        high = max(_reach(model, data, g, unit) for g in feet)
        low = min(-_reach(model, data, g, -unit) for g in feet)
        assert abs(com[axis] - (high + low) / 2) < (high - low) / 4


def _twin(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str) -> int:
    index = int(mujoco.mj_name2id(model, kind, name.replace("left", "right")))
    assert index >= 0, f"{name} has no twin on the right"
    return index


def _world_inertia(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> Vector:
    axes = data.ximat[body].reshape(3, 3)
    return np.asarray(axes @ np.diag(model.body_inertia[body]) @ axes.T)


def _geoms_of(model: mujoco.MjModel, body: int) -> list[int]:
    return list(range(model.body_geomadr[body], model.body_geomadr[body] + model.body_geomnum[body]))


def _outline(model: mujoco.MjModel, data: mujoco.MjData, body: int, directions: Vector) -> Vector:
    """Reach of each geom of a body along each direction; rows sorted, so that order does not matter."""
    rows = [[_reach(model, data, g, n) for n in directions] for g in _geoms_of(model, body)]
    return np.array(sorted(np.round(rows, 6).tolist())) if rows else np.zeros((0, len(directions)))


def test_sides_mirror_each_other(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    """Equal joint values on both sides give mirrored bodies, outlines, sites and joint axes."""
    _, model, anatomy = animal
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(6, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    joints, bodies, sites = (
        _named(model, kind, count) for kind, count in ((JOINT, model.njnt), (BODY, model.nbody), (SITE, model.nsite))
    )
    left_joints = [j for j, name in enumerate(joints) if "left" in name]
    assert left_joints
    data = _home(model)
    for _ in range(4):
        for j in left_joints:
            value = rng.uniform(*model.jnt_range[j])
            for k in (j, _twin(model, JOINT, joints[j])):
                data.qpos[model.jnt_qposadr[k]] = value
        mujoco.mj_forward(model, data)
        for j in left_joints:
            k = _twin(model, JOINT, joints[j])
            np.testing.assert_allclose(data.xanchor[k], MIRROR @ data.xanchor[j], atol=1e-9, err_msg=joints[j])
            # An axis is a pseudo-vector: mirrored, it also changes sign.
            np.testing.assert_allclose(data.xaxis[k], -MIRROR @ data.xaxis[j], atol=1e-9, err_msg=joints[j])
        for b, name in enumerate(bodies):
            if b == 0 or "right" in name:
                continue
            k = _twin(model, BODY, name)
            assert model.body_mass[k] == pytest.approx(model.body_mass[b], rel=1e-9)
            np.testing.assert_allclose(data.xipos[k], MIRROR @ data.xipos[b], atol=1e-6, err_msg=name)
            expected = MIRROR @ _world_inertia(model, data, b) @ MIRROR
            np.testing.assert_allclose(_world_inertia(model, data, k), expected, atol=1e-6, err_msg=name)
            outline = _outline(model, data, b, directions)
            np.testing.assert_allclose(_outline(model, data, k, directions @ MIRROR), outline, atol=3e-6, err_msg=name)
        for s, name in enumerate(sites):
            if "left" in name:
                np.testing.assert_allclose(
                    data.site_xpos[_twin(model, SITE, name)], MIRROR @ data.site_xpos[s], atol=1e-9
                )
    assert anatomy.home_qpos[1] == 0.0


def test_sides_have_equal_joints_servos_and_home(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, anatomy = animal
    for a in range(model.nu):
        name = model.actuator(a).name
        if "left" not in name:
            continue
        b = model.actuator(name.replace("left", "right")).id
        ja, jb = model.actuator_trnid[a, 0], model.actuator_trnid[b, 0]
        assert anatomy.home_ctrl[a] == anatomy.home_ctrl[b]
        assert anatomy.home_qpos[model.jnt_qposadr[ja]] == anatomy.home_qpos[model.jnt_qposadr[jb]]
        for field in ("ctrlrange", "forcerange", "gainprm", "biasprm", "gear"):
            values = getattr(model, f"actuator_{field}")
            np.testing.assert_array_equal(values[a], values[b], err_msg=f"{name} {field}")
        np.testing.assert_array_equal(model.jnt_range[ja], model.jnt_range[jb])
        for field in (model.dof_damping, model.dof_armature, model.dof_frictionloss):
            assert field[model.jnt_dofadr[ja]] == field[model.jnt_dofadr[jb]]


def test_every_joint_is_driven_by_one_servo_and_no_spring(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, _ = animal
    moving = [j for j in range(model.njnt) if model.jnt_type[j] != mujoco.mjtJoint.mjJNT_FREE]
    assert all(model.jnt_type[j] == HINGE for j in moving)
    assert sorted(model.actuator_trnid[:, 0].tolist()) == moving
    assert (model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT).all()
    assert [model.actuator(a).name for a in range(model.nu)] == [
        model.joint(j).name for j in model.actuator_trnid[:, 0]
    ]
    assert (model.jnt_stiffness == 0).all() and model.ntendon == 0 and model.neq == 0


def test_servos_are_sized_from_the_weight(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    """Sideways one leg alone must outweigh the tipping moment m*g*h per radian."""
    species, model, anatomy = animal
    stiffness = model.actuator_gainprm[:, 0]
    rolls = [a for a in range(model.nu) if model.actuator(a).name.endswith("hip_roll")]
    assert len(rolls) >= 2
    assert (stiffness[rolls] > anatomy.weight * species.hip_height).all()
    np.testing.assert_array_equal(model.actuator_forcerange[:, 0], -model.actuator_forcerange[:, 1])
    ratio = model.actuator_forcerange[:, 1] / stiffness
    assert ((ratio >= 1.2) & (ratio <= 2.0)).all()


def test_zero_action_stands_for_ten_seconds(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, anatomy = animal
    batch = Batch(model, 1)
    batch.reset(keyframe=model.key("home").id)
    qpos = batch.bind("qpos")
    for _ in range(20):
        batch.step(nstep=round(0.5 / model.opt.timestep))
        _check_standing(model, anatomy, qpos)


def test_zero_action_stands_from_forty_noisy_starts(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, anatomy = animal
    batch = Batch(model, 40)
    batch.reset(keyframe=model.key("home").id)
    qpos, qvel = batch.bind("qpos"), batch.bind("qvel")
    for seed in range(40):
        rng = np.random.default_rng(seed)
        qpos[seed, 7:] += rng.uniform(-0.02, 0.02, anatomy.nj)
        qvel[seed, 6:] += rng.uniform(-0.02, 0.02, anatomy.nj)
    batch.step(nstep=round(10.0 / model.opt.timestep))
    _check_standing(model, anatomy, qpos)


def test_servos_hold_home_without_sagging(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    _, model, anatomy = animal
    home, rest = _home(model), _stand(model, 3.0)
    assert _hip_height(model, rest) == pytest.approx(_hip_height(model, home), rel=0.03)
    angles = rest.qpos[model.jnt_qposadr[model.actuator_trnid[:, 0]]]
    assert np.abs(anatomy.home_ctrl - angles).max() < 0.1
    assert np.abs(rest.qvel).max() < 0.01


def _measured(species: Species, model: mujoco.MjModel) -> dict[str, float]:
    """The model's own figures, named as in `sizes`."""
    data = _home(model)
    x = np.array([1.0, 0.0, 0.0])
    geoms = _animal_geoms(model)
    figures = {
        "body length": max(_reach(model, data, g, x) for g in geoms) + max(_reach(model, data, g, -x) for g in geoms),
        "body mass": float(model.body_subtreemass[model.body(species.torso).id]),
        "hip height": _hip_height(model, data),
    }
    joints = _named(model, JOINT, model.njnt)
    for quantity, upper, lower in (
        ("femur length", "hip_pitch", "knee"),
        ("tibia length", "knee", "ankle"),
        ("metatarsus length", "ankle", "toe"),
        ("humerus length", "shoulder_pitch", "elbow"),
    ):
        # The pair of a hind leg if there are four legs; names are `left_knee` or `hind_left_knee`.
        ends = [n for n in joints if n.endswith(f"left_{upper}") and n.removesuffix(upper) + lower in joints]
        ends = [n for n in ends if "front" not in n] or ends
        if ends:
            points = [data.xanchor[joints.index(n)] for n in (ends[0], ends[0].removesuffix(upper) + lower)]
            figures[quantity] = float(np.linalg.norm(points[0] - points[1]))
    sites = _named(model, SITE, model.nsite)
    if "nape" in sites:
        tips = [data.site_xpos[sites.index(n)] for n in ("head", "nape")]
        figures["skull length"] = float(np.linalg.norm(tips[0] - tips[1]))
    return figures


def test_model_has_the_sizes_of_the_animal(animal: tuple[Species, mujoco.MjModel, Anatomy]) -> None:
    """A size named `q` holds within 10 %; `q min` and `q max` bound it. Each names its source."""
    species, model, _ = animal
    figures = _measured(species, model)
    assert abs(figures["hip height"] - species.hip_height) < 0.02
    for quantity in figures:  # as of the animal at full size
        figures[quantity] /= species.scale ** (3 if quantity == "body mass" else 1)
    checked = set()
    for size in species.sizes:
        assert size.source.strip() and size.unit in ("m", "kg", "rad", "s", "m/s"), size
        quantity = size.quantity.removesuffix(" min").removesuffix(" max")
        assert quantity in figures, f"{size.quantity} cannot be measured on the model"
        checked.add(quantity)
        if size.quantity.endswith(" min"):
            assert figures[quantity] >= size.value, size
        elif size.quantity.endswith(" max"):
            assert figures[quantity] <= size.value, size
        else:
            assert figures[quantity] == pytest.approx(size.value, rel=0.10), size
    assert {"body length", "body mass", "hip height"} <= checked
