"""Whether an animal's facts and its model fit together: each name in one is a part of the other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.species.simulator import mujoco
from mesozoic.species.species import FACTS_FILE, Species

CONTROL_PERIOD = 0.02
"""Seconds between two actions (50 Hz): at 100 Hz policies live on chatter."""
MOST_SUBSTEPS = 200

HOME_KEYFRAME = "home"
FLOOR = "floor"
SIDE_PREFIXES = ("front_left_", "front_right_", "hind_left_", "hind_right_", "left_", "right_")
SINGLE_DOF_JOINTS = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
CONTACT_SLOT = 3
"""Numbers that a contact sensor with `data="force"` gives for each contact."""

_KINDS = {
    "body": (mujoco.mjtObj.mjOBJ_BODY, "nbody"),
    "geom": (mujoco.mjtObj.mjOBJ_GEOM, "ngeom"),
    "joint": (mujoco.mjtObj.mjOBJ_JOINT, "njnt"),
    "site": (mujoco.mjtObj.mjOBJ_SITE, "nsite"),
    "actuator": (mujoco.mjtObj.mjOBJ_ACTUATOR, "nu"),
    "sensor": (mujoco.mjtObj.mjOBJ_SENSOR, "nsensor"),
    "keyframe": (mujoco.mjtObj.mjOBJ_KEY, "nkey"),
    "camera": (mujoco.mjtObj.mjOBJ_CAMERA, "ncam"),
}


def part_names(model: mujoco.MjModel, kind: str) -> list[str]:
    """Names of all parts of a kind in the order of their ids; empty for one without a name."""
    number, count = _KINDS[kind]
    return [mujoco.mj_id2name(model, number, i) or "" for i in range(getattr(model, count))]


def listed(names: Iterable[str], limit: int = 70) -> str:
    """Names for a sentence, as many of them as are short enough to read."""
    named = [shown(name, 30) for name in names if name]
    if not named:
        return "none"
    text = named[0]
    for number, name in enumerate(named[1:], start=1):
        if len(text) + len(name) > limit:
            return f"{text} and {len(named) - number} more"
        text += f", {name}"
    return text


def require_part(model: mujoco.MjModel, kind: str, name: str, asked: str) -> None:
    """Refuse a name that no part of the kind has.

    Raises:
        UserError: `asked`, the file and field that names it, and the names that exist.
    """
    names = part_names(model, kind)
    if name not in names:
        near = did_you_mean(name, [one for one in names if one])
        raise UserError(f"{asked} '{shown(name, 40)}' is no {kind} of the model{near} (there are: {listed(names)})")


def part_of(actuator: str) -> str:
    """An actuator's name without its side, `knee` for `hind_left_knee`."""
    for prefix in SIDE_PREFIXES:
        if actuator.startswith(prefix):
            return actuator.removeprefix(prefix)
    return actuator


def check_fit(species: Species, model: mujoco.MjModel) -> None:
    """Refuse a model that lacks what the facts name, or what every animal has.

    Raises:
        UserError: one sentence with the file, the field, and the names that exist.
    """
    facts, where = (shown(str(species.folder / name), 110) for name in (FACTS_FILE, species.model_path.name))
    _check_options(model, where)
    _check_joints(species, model, facts, where)
    if HOME_KEYFRAME not in part_names(model, "keyframe"):
        there = listed(part_names(model, "keyframe"))
        raise UserError(f"{where} has no keyframe '{HOME_KEYFRAME}' (there are: {there}); add the standing pose")
    floor = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, FLOOR)
    if floor < 0 or model.geom_type[floor] != mujoco.mjtGeom.mjGEOM_PLANE or model.geom_bodyid[floor] != 0:
        raise UserError(f'{where} has no floor; add <geom name="{FLOOR}" type="plane" .../> to <worldbody>')
    for foot in species.feet:
        for geom in foot.geoms:
            require_part(model, "geom", geom, f"{facts}: geom of foot '{shown(foot.name, 20)}':")
            if model.geom(geom).bodyid[0] == 0:
                raise UserError(f"{facts}: '{shown(geom, 40)}' is part of the world, so it cannot be part of a foot")
            _check_sensor(model, geom, where)
    for site in species.strike_sites:
        require_part(model, "site", site, f"{facts}: strike_sites:")
    _check_actuators(species, model, facts, where)


def _check_options(model: mujoco.MjModel, where: str) -> None:
    timestep = float(model.opt.timestep)
    substeps = round(CONTROL_PERIOD / timestep) if timestep > CONTROL_PERIOD / MOST_SUBSTEPS / 2 else 0
    if not 1 <= substeps <= MOST_SUBSTEPS or abs(substeps * timestep - CONTROL_PERIOD) > 1e-9:
        raise UserError(
            f"{where}: timestep {timestep:g} s does not divide {CONTROL_PERIOD} s into 1 to {MOST_SUBSTEPS} parts;"
            ' set for example timestep="0.005"'
        )
    x, y, z = (float(value) for value in model.opt.gravity)
    if x or y or not -1000.0 <= z < 0.0:
        raise UserError(f"{where}: gravity is {x:g} {y:g} {z:g}; it must point straight down, like 0 0 -9.81")


def _check_joints(species: Species, model: mujoco.MjModel, facts: str, where: str) -> None:
    require_part(model, "body", species.torso, f"{facts}: torso:")
    kinds = model.jnt_type
    if not len(kinds) or kinds[0] != mujoco.mjtJoint.mjJNT_FREE or not np.isin(kinds[1:], SINGLE_DOF_JOINTS).all():
        raise UserError(f"{where}: the first joint must be free, and all others hinges or slides; correct the joints")
    owner = model.body(int(model.jnt_bodyid[0])).name
    if owner != species.torso:
        raise UserError(
            f"{facts}: torso '{shown(species.torso, 40)}' has no free joint; the body with it is '{shown(owner, 40)}'"
        )
    names = part_names(model, "joint")[1:]
    if "" in names:
        body = model.body(int(model.jnt_bodyid[names.index("") + 1])).name
        raise UserError(f"{where}: a joint of body '{shown(body, 40)}' has no name; name it like its servo")


def _check_sensor(model: mujoco.MjModel, geom: str, where: str) -> None:
    name = f"load_{geom}"
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SENSOR, name)
    if (
        index < 0
        or model.sensor_type[index] != mujoco.mjtSensor.mjSENS_CONTACT
        or model.sensor_dim[index] % CONTACT_SLOT
    ):
        short = shown(geom, 30)
        raise UserError(
            f'{where} lacks the contact sensor \'load_{short}\'; add <contact name="load_{short}" geom1="{FLOOR}"'
            f' geom2="{short}" num="2" data="force" reduce="maxforce"/>'
        )


def _check_actuators(species: Species, model: mujoco.MjModel, facts: str, where: str) -> None:
    names = part_names(model, "actuator")
    if not names:
        raise UserError(f'{where} has no servo; add <position name="..." joint="..." .../> for each joint')
    for index, name in enumerate(names):
        servo = (
            model.actuator_trntype[index] == mujoco.mjtTrn.mjTRN_JOINT
            and model.actuator_trnid[index, 0] != 0
            and model.actuator_dyntype[index] == mujoco.mjtDyn.mjDYN_NONE
            and model.actuator_biastype[index] == mujoco.mjtBias.mjBIAS_AFFINE
            and model.actuator_ctrllimited[index]
        )
        if not servo or not name:
            raise UserError(
                f"{where}: actuator '{shown(name, 40)}' is no named position servo of a joint with a limited range;"
                ' write <position name="..." joint="..." inheritrange="1" kp="..."/>'
            )
        if not {name, part_of(name)} & set(species.action_scale):
            raise UserError(
                f"{facts}: [action_scale] lacks '{shown(part_of(name), 40)}', for the actuator '{shown(name, 40)}'"
                f" (there are: {listed(species.action_scale)}); add it"
            )
    known = sorted({*names, *map(part_of, names)})
    for key in species.action_scale:
        if key not in known:
            near = did_you_mean(key, known)
            raise UserError(
                f"{facts}: [action_scale]: '{shown(key, 40)}' is no actuator of the model{near}"
                f" (there are: {listed(dict.fromkeys(map(part_of, names)))})"
            )
