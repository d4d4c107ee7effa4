"""Checks of the servos: every joint has one, none is helped by a spring, and all are sized from the weight."""

from __future__ import annotations

import numpy as np

from mesozoic.species.acceptance.body import Body, Check, Verdict, failing
from mesozoic.species.simulator import mujoco

FORCE_RATIO = (1.2, 2.0)
"""Force limit over stiffness, radians: less saturates while walking, more is never used."""


def every_joint_has_one_servo_and_no_spring(body: Body) -> Verdict:
    """Each hinge is driven by the position servo of its name; no springs, tendons or constraints."""
    model = body.model
    moving = [j for j in range(model.njnt) if model.jnt_type[j] != mujoco.mjtJoint.mjJNT_FREE]
    driven = model.actuator_trnid[:, 0].tolist()
    names = body.names("joint")
    faults = [f"{names[j]} is no hinge" for j in moving if model.jnt_type[j] != mujoco.mjtJoint.mjJNT_HINGE]
    faults += [f"{names[j]} has {driven.count(j)} servos" for j in moving if driven.count(j) != 1]
    servos = zip(body.names("actuator"), driven, strict=True)
    faults += [f"servo {name} drives {names[j]}, which has another name" for name, j in servos if name != names[j]]
    faults += [f"{names[j]} has a spring" for j in moving if model.jnt_stiffness[j] != 0]
    faults += ["there are tendons or equality constraints"] if model.ntendon or model.neq else []
    return failing("change it", faults, f"{len(moving)} hinges")


def zero_action_is_inside_every_range(body: Body) -> Verdict:
    """The servo targets of the home pose are no limit of their range."""
    anatomy = body.anatomy
    inside = (anatomy.home_ctrl > anatomy.ctrl_low) & (anatomy.home_ctrl < anatomy.ctrl_high)
    faults = [name for name, good in zip(body.names("actuator"), inside, strict=True) if not good]
    return failing("home servo target at or beyond a limit", faults, f"{len(inside)} servo targets")


def a_diverged_world_stays_visible(body: Body) -> Verdict:
    """MuJoCo must not reset a world that broke down, or the task would not see it."""
    good = bool(body.model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return Verdict(good, "autoreset is off" if good else 'add <option><flag autoreset="disable"/></option>')


def the_side_camera_follows_the_animal(body: Body) -> Verdict:
    """Pictures are taken from a camera `side` that moves with the centre of mass."""
    names = body.names("camera")
    good = "side" in names and (body.model.cam_mode[names.index("side")] == mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM)
    return Verdict(
        bool(good), "mode trackcom" if good else 'add <camera name="side" mode="trackcom" .../> to the torso'
    )


def servos_are_sized_from_the_weight(body: Body) -> Verdict:
    """Sideways one leg alone outweighs m*g*h per radian; force limits are 1.2 to 2 rad of stiffness."""
    model, anatomy = body.model, body.anatomy
    names = body.names("actuator")
    stiffness = model.actuator_gainprm[:, 0]
    tipping = anatomy.weight * body.species.hip_height
    rolls = [a for a, name in enumerate(names) if name.endswith("hip_roll")]
    faults = [] if len(rolls) >= 2 else ["there are fewer than two servos named *hip_roll"]
    faults += [f"{names[a]}: kp {stiffness[a]:.4g} N·m/rad" for a in rolls if not stiffness[a] > tipping]
    low, high = model.actuator_forcerange.T
    for a, name in enumerate(names):
        ratio = high[a] / stiffness[a] if stiffness[a] > 0.0 else np.inf
        if low[a] != -high[a] or not FORCE_RATIO[0] <= ratio <= FORCE_RATIO[1]:
            faults.append(
                f"{name}: forcerange {low[a]:.4g} to {high[a]:.4g} is not ±1.2 to 2 times kp {stiffness[a]:.4g}"
            )
    weakest = min((stiffness[a] for a in rolls), default=0.0)
    return failing(
        f"m*g*h is {tipping:.4g} N·m/rad", faults, f"hip_roll {weakest:.4g} N·m/rad, m*g*h {tipping:.4g} N·m/rad"
    )


CHECKS: tuple[Check, ...] = (
    every_joint_has_one_servo_and_no_spring,
    zero_action_is_inside_every_range,
    a_diverged_world_stays_visible,
    the_side_camera_follows_the_animal,
    servos_are_sized_from_the_weight,
)
