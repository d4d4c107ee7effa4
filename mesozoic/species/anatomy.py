"""Numbers of an animal's body as arrays, read once from its compiled model.

The task and the engines index arrays with these; neither looks anything up by name in a loop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesozoic.errors import UserError, shown
from mesozoic.species.fit import CONTACT_SLOT, CONTROL_PERIOD, HOME_KEYFRAME, check_fit, part_names, part_of
from mesozoic.species.simulator import mujoco
from mesozoic.species.species import FACTS_FILE, Species
from mesozoic.species.underside import Underside, underside

FREE_QPOS, FREE_QVEL = 7, 6
"""How much of `qpos` and `qvel` the free joint takes."""


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
        underside [4 * nbody, k]: takes the height and the third row of the rotation matrix of every body, body by
            body, to the heights of the centres of `k` spheres (see `underside`); underside_radius [k]: of these, m.
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
    underside: NDArray[np.float32]
    underside_radius: NDArray[np.float32]
    torso_id: int
    gravity: float
    hip_height: float
    mass: float

    @cached_property
    def nj(self) -> int:
        return self.nq - FREE_QPOS

    @cached_property
    def weight(self) -> float:
        return self.mass * self.gravity

    @cached_property
    def speed_unit(self) -> float:
        """sqrt(g*h) in m/s: the speed at which the Froude number is 1."""
        return float(np.sqrt(self.gravity * self.hip_height))

    @cached_property
    def time_unit(self) -> float:
        """sqrt(h/g) in seconds."""
        return float(np.sqrt(self.hip_height / self.gravity))


def _f32(values: ArrayLike) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def _load_sensors(model: mujoco.MjModel, geom: str) -> list[int]:
    """Indices of the normal force of every contact that the sensor `load_<geom>` reports.

    A contact force is given in the contact's own frame, normal first (MuJoCo documentation,
    "sensor/contact"); on a level floor the normal is the vertical. Summing `maxforce` slots instead
    of asking for `netforce` is what MJX's JAX implementation supports as well.
    """
    index = model.sensor(f"load_{geom}").id
    first = int(model.sensor_adr[index])
    return list(range(first, first + int(model.sensor_dim[index]), CONTACT_SLOT))


def _other_side(names: list[str], what: str, where: Path) -> NDArray[np.int64]:
    """Index of the name with left and right swapped; its own for a name without a side."""
    swapped = [re.sub("left|right", lambda m: "right" if m[0] == "left" else "left", name) for name in names]
    alone = [(name, other) for name, other in zip(names, swapped, strict=True) if other not in names]
    if alone:
        name, other = (shown(one, 40) for one in alone[0])
        raise UserError(f"{shown(str(where), 120)}: {what} '{name}' has no mirror image '{other}'; add it")
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


def _underside(species: Species) -> Underside:
    """The underside of everything that can be seen of the animal, which `load_physics_model` leaves out."""
    model = species.load_model()
    home = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, home, model.key(HOME_KEYFRAME).id)
    mujoco.mj_kinematics(model, home)
    feet = [int(model.geom(geom).id) for foot in species.feet for geom in foot.geoms]
    return underside(model, feet, home, species.hip_height)


def _heights(bodies: int, below: Underside) -> NDArray[np.float32]:
    """The matrix [4 * bodies, k] of `Anatomy.underside`: height of a body plus its third row times the centre."""
    weights = np.zeros((bodies, 4, len(below.body)), dtype=np.float32)
    spheres = np.arange(len(below.body))
    weights[below.body, 0, spheres] = 1.0
    weights[below.body, 1:, spheres] = below.centre
    return weights.reshape(4 * bodies, -1)


def anatomy_of(species: Species, model: mujoco.MjModel) -> Anatomy:
    """Read the constants of `species` from its compiled `model`.

    Raises:
        UserError: the model and `facts.toml` do not fit together.
    """
    check_fit(species, model)
    key = model.key(HOME_KEYFRAME).id
    substeps = round(CONTROL_PERIOD / model.opt.timestep)
    joint_mirror = _other_side(part_names(model, "joint")[1:], "joint", species.model_path)
    home = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, home, key)
    mujoco.mj_kinematics(model, home)
    joint_sign = _mirror_signs(model, home, joint_mirror)
    foot_geoms = tuple(tuple(model.geom(geom).id for geom in foot.geoms) for foot in species.feet)
    below = _underside(species)
    actuators = part_names(model, "actuator")
    scale = species.action_scale
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
        action_scale=_f32([scale[name if name in scale else part_of(name)] for name in actuators]),
        actuator_qvel=model.jnt_dofadr[model.actuator_trnid[:, 0]].astype(np.int64),
        joint_mirror=joint_mirror,
        joint_mirror_sign=joint_sign,
        foot_mirror=_other_side([foot.name for foot in species.feet], "foot", species.folder / FACTS_FILE),
        foot_names=tuple(foot.name for foot in species.feet),
        foot_sensors=tuple(
            tuple(i for geom in foot.geoms for i in _load_sensors(model, geom)) for foot in species.feet
        ),
        foot_geoms=foot_geoms,
        foot_height=_f32([home.geom_xpos[list(geoms), 2].mean() for geoms in foot_geoms]),
        strike_site_ids=tuple(model.site(name).id for name in species.strike_sites),
        underside=_heights(model.nbody, below),
        underside_radius=below.radius,
        torso_id=model.body(species.torso).id,
        gravity=float(-model.opt.gravity[2]),
        hip_height=species.hip_height,
        mass=float(model.body_subtreemass[model.body(species.torso).id]),
    )
