"""Numbers of an animal's body as arrays, read once from its compiled model.

The task and the engines index arrays with these; neither looks anything up by name in a loop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesozoic.errors import UserError
from mesozoic.species.species import Species

CONTROL_PERIOD = 0.02
"""Seconds between two actions (50 Hz): at 100 Hz policies live on chatter."""

HOME_KEYFRAME = "home"
SIDE_PREFIXES = ("front_left_", "front_right_", "hind_left_", "hind_right_", "left_", "right_")
FREE_QPOS, FREE_QVEL = 7, 6
"""How much of `qpos` and `qvel` the free joint takes."""
SINGLE_DOF_JOINTS = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Constants of one animal's body. Arrays are float32, as everything in the task is.

    Attributes:
        name: species name.
        nq, nv, nu: sizes of `qpos`, `qvel` and the action.
        nj: joints besides the free joint; their angles are `qpos[7:]`, their rates `qvel[6:]`.
        substeps: physics steps in one control period; dt: the control period in seconds.
        home_qpos [nq], home_ctrl [nu]: the standing pose and the servo targets that hold it.
        ctrl_low, ctrl_high [nu]: servo target limits in radians.
        action_scale [nu]: radians of servo target per unit of action.
        actuator_qvel [nu]: index into `qvel` of the joint that each actuator drives.
        joint_mirror [nj]: index among the joints of each joint's mirror image (its own, on the midline).
        joint_mirror_sign [nj]: +1 if a joint and its mirror image turn by equal numbers, else -1.
        foot_mirror [nfeet]: index of the foot on the other side.
        foot_names: feet in the order of `Sensed.foot_force`.
        foot_sensors [nfeet][k]: `sensordata` indices whose sum is the vertical force on each foot.
        foot_geoms [nfeet][k]: ids of the geoms of each foot; foot_height [nfeet]: height of their centre at home, m.
        strike_site_ids [nsites]: ids of the strike sites.
        torso_id: body id of the torso.
        gravity: m/s^2; hip_height: m; mass: kg; weight: N.
    """

    name: str
    nq: int
    nv: int
    nu: int
    substeps: int
    dt: float
    home_qpos: NDArray[np.float32]
    home_ctrl: NDArray[np.float32]
    ctrl_low: NDArray[np.float32]
    ctrl_high: NDArray[np.float32]
    action_scale: NDArray[np.float32]
    actuator_qvel: NDArray[np.int64]
    joint_mirror: NDArray[np.int64]
    joint_mirror_sign: NDArray[np.float32]
    foot_mirror: NDArray[np.int64]
    foot_names: tuple[str, ...]
    foot_sensors: tuple[tuple[int, ...], ...]
    foot_geoms: tuple[tuple[int, ...], ...]
    foot_height: NDArray[np.float32]
    strike_site_ids: tuple[int, ...]
    torso_id: int
    gravity: float
    hip_height: float
    mass: float

    @property
    def nj(self) -> int:
        return self.nq - FREE_QPOS

    @property
    def weight(self) -> float:
        return self.mass * self.gravity

    @property
    def speed_unit(self) -> float:
        """sqrt(g*h) in m/s: the speed at which the Froude number is 1."""
        return float(np.sqrt(self.gravity * self.hip_height))

    @property
    def time_unit(self) -> float:
        """sqrt(h/g) in seconds."""
        return float(np.sqrt(self.hip_height / self.gravity))


def _f32(values: ArrayLike) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def _action_scale(species: Species, actuator: str) -> float:
    part = actuator
    for prefix in SIDE_PREFIXES:
        part = part.removeprefix(prefix) if actuator.startswith(prefix) else part
    for key in (actuator, part):
        if key in species.action_scale:
            return species.action_scale[key]
    raise UserError(f"{species.folder}/facts.toml: [action_scale] lacks '{part}' (actuator '{actuator}'); add it")


def _load_sensors(model: mujoco.MjModel, species: Species, geom: str) -> list[int]:
    """Indices of the normal force of every contact that the sensor `load_<geom>` reports.

    A contact force is given in the contact's own frame, normal first (MuJoCo documentation,
    "sensor/contact"); on a level floor the normal is the vertical. Summing `maxforce` slots instead
    of asking for `netforce` is what MJX's JAX implementation supports as well.
    """
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SENSOR, f"load_{geom}")
    if index < 0 or model.sensor_type[index] != mujoco.mjtSensor.mjSENS_CONTACT or model.sensor_dim[index] % 3:
        raise UserError(
            f"{species.model_path} lacks the sensor 'load_{geom}'; add <contact name=\"load_{geom}\""
            f' geom1="floor" geom2="{geom}" num="2" data="force" reduce="maxforce"/>'
        )
    first = int(model.sensor_adr[index])
    return list(range(first, first + int(model.sensor_dim[index]), 3))


def _other_side(names: list[str], species: Species) -> NDArray[np.int64]:
    """Index of the name with left and right swapped; its own for a name without a side."""
    swapped = [re.sub("left|right", lambda m: "right" if m[0] == "left" else "left", name) for name in names]
    missing = sorted(set(swapped) - set(names))
    if missing:
        raise UserError(
            f"{species.folder}: '{missing[0]}' is missing, the mirror image of a part that is there; add it"
        )
    return np.array([names.index(name) for name in swapped], dtype=np.int64)


def _mirror_signs(model: mujoco.MjModel, home: mujoco.MjData, mirror: NDArray[np.int64]) -> NDArray[np.float32]:
    """Whether each joint's axis at home, mirrored in the plane y = 0, points as its partner's does.

    A hinge axis is a pseudovector: mirrored in y it keeps y and turns x and z around; a slide axis
    is a vector: the other way about.
    """
    axes = home.xaxis[1:]
    hinge = (model.jnt_type[1:] == mujoco.mjtJoint.mjJNT_HINGE)[:, None]
    mirrored = axes * np.where(hinge, [-1.0, 1.0, -1.0], [1.0, -1.0, 1.0])
    return np.where((mirrored * axes[mirror]).sum(axis=1) > 0, 1.0, -1.0).astype(np.float32)


def anatomy_of(species: Species, model: mujoco.MjModel) -> Anatomy:
    """Read the constants of `species` from its compiled `model`.

    Raises:
        UserError: the model and `facts.toml` do not fit together.
    """
    key = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_KEY, HOME_KEYFRAME)
    if key < 0:
        raise UserError(f"{species.model_path} has no keyframe '{HOME_KEYFRAME}'; add the standing pose")
    substeps = round(CONTROL_PERIOD / model.opt.timestep)
    if abs(substeps * model.opt.timestep - CONTROL_PERIOD) > 1e-9:
        raise UserError(f"{species.model_path}: timestep {model.opt.timestep} does not divide {CONTROL_PERIOD} s")
    free, rest = model.jnt_type[0], model.jnt_type[1:]
    if free != mujoco.mjtJoint.mjJNT_FREE or not np.isin(rest, SINGLE_DOF_JOINTS).all():
        raise UserError(f"{species.model_path}: the first joint must be free, all others hinges or slides")
    joint_mirror = _other_side([model.joint(j).name for j in range(1, model.njnt)], species)
    home = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, home, key)
    mujoco.mj_kinematics(model, home)
    joint_sign = _mirror_signs(model, home, joint_mirror)
    foot_geoms = tuple(tuple(model.geom(geom).id for geom in foot.geoms) for foot in species.feet)
    actuators = [model.actuator(i).name for i in range(model.nu)]
    return Anatomy(
        name=species.name,
        nq=model.nq,
        nv=model.nv,
        nu=model.nu,
        substeps=substeps,
        dt=substeps * model.opt.timestep,
        home_qpos=_f32(model.key_qpos[key]),
        home_ctrl=_f32(model.key_ctrl[key]),
        ctrl_low=_f32(model.actuator_ctrlrange[:, 0]),
        ctrl_high=_f32(model.actuator_ctrlrange[:, 1]),
        action_scale=_f32([_action_scale(species, name) for name in actuators]),
        actuator_qvel=model.jnt_dofadr[model.actuator_trnid[:, 0]].astype(np.int64),
        joint_mirror=joint_mirror,
        joint_mirror_sign=joint_sign,
        foot_mirror=_other_side([foot.name for foot in species.feet], species),
        foot_names=tuple(foot.name for foot in species.feet),
        foot_sensors=tuple(
            tuple(i for geom in foot.geoms for i in _load_sensors(model, species, geom)) for foot in species.feet
        ),
        foot_geoms=foot_geoms,
        foot_height=_f32([home.geom_xpos[list(geoms), 2].mean() for geoms in foot_geoms]),
        strike_site_ids=tuple(model.site(name).id for name in species.strike_sites),
        torso_id=model.body(species.torso).id,
        gravity=float(-model.opt.gravity[2]),
        hip_height=species.hip_height,
        mass=float(model.body_subtreemass[model.body(species.torso).id]),
    )
