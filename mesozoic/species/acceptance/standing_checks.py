"""Checks that the zero action stands: from home, from noisy starts, and without sagging."""

from __future__ import annotations

import numpy as np

from mesozoic.species.acceptance.body import Body, Check, Vector, Verdict
from mesozoic.species.simulator import mujoco

SECONDS = 10.0
STARTS, NOISE = 40, 0.02
"""Starts with joint angles and rates off by up to so many rad and rad/s."""
HEIGHT, TILT = 0.10, 15.0
"""Standing: within this share of the home height, and tilted by fewer degrees."""
SAG, SERVO_ERROR, STILL = 0.03, 0.1, 0.01
"""At rest: share of the hip height lost, radians off the servo target, m/s or rad/s."""


def zero_action_stands_for_ten_seconds(body: Body) -> Verdict:
    """Looked at every half second."""
    data, poses = body.fresh(), []
    for _ in range(20):
        mujoco.mj_step(body.model, data, nstep=body.steps(SECONDS / 20))
        poses.append(data.qpos.copy())
    return _standing(body, np.array(poses))


def zero_action_stands_from_forty_noisy_starts(body: Body) -> Verdict:
    """The pose after ten seconds."""
    poses = []
    for seed in range(STARTS):
        rng, data = np.random.default_rng(seed), body.fresh()
        data.qpos[7:] += rng.uniform(-NOISE, NOISE, body.anatomy.nj)
        data.qvel[6:] += rng.uniform(-NOISE, NOISE, body.anatomy.nj)
        mujoco.mj_step(body.model, data, nstep=body.steps(SECONDS))
        poses.append(data.qpos.copy())
    return _standing(body, np.array(poses))


def servos_hold_home_without_sagging(body: Body) -> Verdict:
    """After three seconds of zero action."""
    model, rest = body.model, body.rest
    sag = 1.0 - body.hip_height(rest) / body.hip_height(body.home)
    error = float(np.abs(body.anatomy.home_ctrl - rest.qpos[model.jnt_qposadr[model.actuator_trnid[:, 0]]]).max())
    speed = float(np.abs(rest.qvel).max())
    good = abs(sag) <= SAG and error < SERVO_ERROR and speed < STILL
    figures = f"sags by {100 * sag:.2f} % of its hip height, servos {error:.3f} rad off, moving at {speed:.2g}"
    return Verdict(bool(good), f"{figures}; wanted {100 * SAG:g} %, {SERVO_ERROR:g}, {STILL:g}")


def _standing(body: Body, qpos: Vector) -> Verdict:
    """Whether every row of `qpos` is a standing animal."""
    with np.errstate(invalid="ignore", over="ignore"):
        height = np.abs(qpos[:, 2] / body.anatomy.home_qpos[2] - 1.0)
        x, y = qpos[:, 4], qpos[:, 5]
        tilt = np.degrees(np.arccos(np.clip(1.0 - 2.0 * (x * x + y * y), -1.0, 1.0)))
        standing = np.isfinite(qpos).all(axis=1) & (height < HEIGHT) & (tilt < TILT)
        height, tilt = (np.where(np.isfinite(part), part, np.inf).max() for part in (height, tilt))
    figures = f"{standing.sum()} of {len(qpos)} stand, height off by {100 * height:.2g} %"
    return Verdict(bool(standing.all()), f"{figures}, tilt {tilt:.2g}°; wanted {100 * HEIGHT:g} %, {TILT:g}°")


CHECKS: tuple[Check, ...] = (
    zero_action_stands_for_ten_seconds,
    zero_action_stands_from_forty_noisy_starts,
    servos_hold_home_without_sagging,
)
