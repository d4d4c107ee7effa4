"""The reward: a table of terms. A term, its weight in the stage file and its metric share a name.

The term `posture` has the weight `env.posture_weight` and the metric `reward/posture`. A term is a
pure function of the moment, `[n]`; bonuses lie in [0, 1], penalties are negative or zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import FREE_QPOS, Anatomy
from mesozoic.task.arrays import XP, Array, Kinematics, Sensed

LOADED = 0.1
"""Feet that carry less than this share of body weight do not count as standing."""
POSTURE_WIDTH = 0.3
"""Tilt (as the sine of its angle) at which the posture bonus falls to 1/e: about 17 degrees."""
POSE_WIDTH = 0.2
"""Root mean square distance of the joints from home, in radians, at which the pose bonus falls to 1/e."""


class Moment(NamedTuple):
    """Everything a term may look at."""

    anatomy: Anatomy
    sensed: Sensed
    kin: Kinematics
    action: Array
    prev_action: Array
    fallen: Array


def _alive(xp: XP, m: Moment) -> Array:
    standing = xp.sum(m.kin.foot_load, axis=1) > LOADED
    return (standing & ~m.fallen).astype(xp.float32)


def _posture(xp: XP, m: Moment) -> Array:
    gx, gy = m.kin.gravity[:, 0], m.kin.gravity[:, 1]
    return xp.exp(-(gx * gx + gy * gy) / POSTURE_WIDTH**2)


def _pose(xp: XP, m: Moment) -> Array:
    error = m.sensed.qpos[:, FREE_QPOS:] - m.anatomy.home_qpos[FREE_QPOS:]
    return xp.exp(-xp.mean(error * error, axis=1) / POSE_WIDTH**2)


def _nosedive(xp: XP, m: Moment) -> Array:
    return -xp.maximum(m.kin.gravity[:, 0], 0.0)


def _heading(xp: XP, m: Moment) -> Array:
    return 0.5 + 0.5 * m.kin.target_dir[:, 0]


def _drift_penalty(xp: XP, m: Moment) -> Array:
    return -xp.minimum(m.kin.displacement, 1.0)


def _speed_penalty(xp: XP, m: Moment) -> Array:
    return -xp.minimum(m.kin.ground_speed**2, 1.0)


def _spin_penalty(xp: XP, m: Moment) -> Array:
    return -xp.minimum(m.kin.yaw_rate**2, 1.0)


def _smoothness(xp: XP, m: Moment) -> Array:
    change = m.action - m.prev_action
    return -xp.mean(change * change, axis=1)


def _energy_penalty(xp: XP, m: Moment) -> Array:
    power = xp.abs(m.sensed.actuator_force * m.sensed.qvel[:, m.anatomy.actuator_qvel])
    return -xp.minimum(xp.sum(power, axis=1) / (m.anatomy.weight * m.anatomy.speed_unit), 1.0)


TERMS: dict[str, Callable[[XP, Moment], Array]] = {
    "alive": _alive,
    "posture": _posture,
    "pose": _pose,
    "nosedive": _nosedive,
    "heading": _heading,
    "drift_penalty": _drift_penalty,
    "speed_penalty": _speed_penalty,
    "spin_penalty": _spin_penalty,
    "smoothness": _smoothness,
    "energy_penalty": _energy_penalty,
}


def weight_key(term: str) -> str:
    """The key of a term's weight in `[env]`."""
    return "alive_bonus" if term == "alive" else f"{term}_weight"


def active_terms(env: EnvSection) -> dict[str, float]:
    """Terms whose weight is not zero, and the weight. Others are not computed."""
    weights = {term: float(getattr(env, weight_key(term))) for term in TERMS}
    return {term: weight for term, weight in weights.items() if weight != 0.0}


def rewards(xp: XP, env: EnvSection, moment: Moment) -> dict[str, Array]:
    """Weighted terms, name -> [n] float32."""
    return {term: weight * TERMS[term](xp, moment) for term, weight in active_terms(env).items()}
