"""The decision process of one animal and stage: the only place that composes a control step.

    action -> actuate: servo targets and push -> the engine advances -> Sensed -> judge: Step

Engines and environments call these functions and add nothing of the task.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import TypeVar

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Sensed, Step, TaskState, nowhere
from mesozoic.task.constants import whole
from mesozoic.task.control import clip_action, servo_targets
from mesozoic.task.gait_clock import advance
from mesozoic.task.kinematics import hide_target, kinematics
from mesozoic.task.observe import observe
from mesozoic.task.pushes import push_force
from mesozoic.task.reach import hold_steps, strike
from mesozoic.task.reward import RewardContext, rewards
from mesozoic.task.termination import end_reasons

FAR_AWAY = 1e3
"""Metres; where the strike sites of a diverged world are taken to be, so that they touch nothing."""
Physics = TypeVar("Physics")
"""An engine's own state."""


def begin(xp: XP, anatomy: Anatomy, env: EnvSection, state: TaskState, sensed: Sensed) -> tuple[TaskState, Array]:
    """The state, complete with what only the placed body can tell, and the first observation [n, nobs]."""
    kin = kinematics(xp, anatomy, state, sensed)
    state = state._replace(gap=kin.gap, foot_pos=sensed.foot_pos)
    return state, observe(xp, anatomy, env, state, sensed, kin)


def control_step(
    xp: XP,
    anatomy: Anatomy,
    env: EnvSection,
    state: TaskState,
    action: Array,
    ramp: Array | float,
    advance: Callable[[Array, Array], tuple[Sensed, Physics]],
) -> tuple[Step, Sensed, Physics]:
    """One control step of every world with `action` [n, nu].

    Args:
        ramp: see `judge`.
        advance: the engine: servo targets [n, nu] and pushes [n, 3] to what is sensed after it, and to the
            engine's own next state (None for an engine that keeps it to itself).
    """
    sensed, physics = advance(*actuate(xp, anatomy, env, state, action))
    return judge(xp, anatomy, env, state, sensed, action, ramp), sensed, physics


def actuate(xp: XP, anatomy: Anatomy, env: EnvSection, state: TaskState, action: Array) -> tuple[Array, Array]:
    """Servo targets [n, nu] in radians and the force on the torso [n, 3] in newtons of the coming control step."""
    return servo_targets(xp, anatomy, action), push_force(xp, anatomy, env, state)


def judge(
    xp: XP,
    anatomy: Anatomy,
    env: EnvSection,
    state: TaskState,
    sensed: Sensed,
    action: Array,
    ramp: Array | float = 1.0,
) -> Step:
    """Judge the control step that `action` [n, nu] led to.

    A world whose physics diverged counts as fallen and ends; it is observed as if it stood at home,
    so that nothing of it that is not finite leaves this function, not even its action. `ramp`,
    a number or a float32 scalar array, scales the terms of locomotion and behaviour.
    """
    action = clip_action(xp, action)
    if not nowhere(xp, sensed.diverged):
        action = xp.where(sensed.diverged[:, None], 0.0, action)
        sensed = _mask_diverged(xp, anatomy, sensed)
    before = state
    state = state._replace(step=state.step + whole(1), prev_action=action, phase=advance(env, anatomy, state.phase))
    seen = kinematics(xp, anatomy, state, sensed)
    kin = hide_target(xp, seen, before.struck >= whole(0))
    reasons = end_reasons(xp, env, kin, sensed.diverged)
    fallen = reduce(or_, reasons.values())
    hit, struck = strike(xp, env, state, kin, fallen)
    succeeded = (struck >= whole(hold_steps(anatomy, env))) & ~fallen
    state = state._replace(gap=kin.gap, foot_pos=sensed.foot_pos, struck=struck)
    context = RewardContext(anatomy, env, sensed, kin, before, state, fallen, hit, succeeded)
    terminated = fallen | succeeded
    return Step(
        state=state,
        observation=observe(xp, anatomy, env, state, sensed, hide_target(xp, seen, struck >= whole(0))),
        rewards=rewards(xp, env, context, ramp),
        reasons=reasons,
        succeeded=succeeded,
        terminated=terminated,
        truncated=(state.step >= whole(env.max_episode_steps)) & ~terminated,
    )


def _mask_diverged(xp: XP, anatomy: Anatomy, sensed: Sensed) -> Sensed:
    bad = sensed.diverged[:, None]
    return Sensed(
        qpos=xp.where(bad, anatomy.home_qpos, sensed.qpos),
        qvel=xp.where(bad, 0.0, sensed.qvel),
        foot_force=xp.where(bad, 0.0, sensed.foot_force),
        actuator_force=xp.where(bad, 0.0, sensed.actuator_force),
        site_pos=xp.where(bad[:, :, None], FAR_AWAY, sensed.site_pos),
        foot_pos=xp.where(bad[:, :, None], 0.0, sensed.foot_pos),
        clearance=xp.where(sensed.diverged, anatomy.hip_height, sensed.clearance),
        diverged=sensed.diverged,
    )
