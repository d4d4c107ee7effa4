"""One step of the decision process, from what was sensed to reward and end."""

from __future__ import annotations

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Memory, Sensed, Step
from mesozoic.task.control import clip_action
from mesozoic.task.gait_clock import advance
from mesozoic.task.kinematics import hide_target, kinematics
from mesozoic.task.observe import observe
from mesozoic.task.reach import hold_steps, strike
from mesozoic.task.reward import Moment, rewards
from mesozoic.task.termination import end_reasons

FAR_AWAY = 1e3
"""Metres; where the strike sites of a diverged world are taken to be, so that they touch nothing."""


def begin(xp: XP, anatomy: Anatomy, env: EnvSection, memory: Memory, sensed: Sensed) -> tuple[Memory, Array]:
    """The memory, complete with what only the placed body can tell, and the first observation [n, nobs]."""
    kin = kinematics(xp, anatomy, memory, sensed)
    memory = memory._replace(gap=kin.gap, foot_pos=sensed.foot_pos)
    return memory, observe(xp, anatomy, env, memory, sensed, kin)


def step(
    xp: XP, anatomy: Anatomy, env: EnvSection, memory: Memory, sensed: Sensed, action: Array, task_share: float = 1.0
) -> Step:
    """Judge the control step that `action` [n, nu] led to.

    A world whose physics diverged counts as fallen and ends; it is observed as if it stood at home,
    so that nothing of it that is not finite leaves this function, not even its action. `task_share`
    scales the terms of locomotion and behaviour, for a ramp.
    """
    action = xp.where(sensed.diverged[:, None], 0.0, clip_action(xp, action))
    sensed = _mask_diverged(xp, anatomy, sensed)
    before = memory
    memory = memory._replace(step=memory.step + 1, prev_action=action, phase=advance(env, anatomy, memory.phase))
    seen = kinematics(xp, anatomy, memory, sensed)
    kin = hide_target(xp, seen, before.struck >= 0)
    reasons = end_reasons(env, kin, sensed.diverged)
    fallen = reasons["low"] | reasons["tilted"] | reasons["diverged"]
    hit, struck = strike(xp, env, memory, kin, fallen)
    succeeded = (struck >= hold_steps(anatomy, env)) & ~fallen
    memory = memory._replace(gap=kin.gap, foot_pos=sensed.foot_pos, struck=struck)
    moment = Moment(anatomy, env, sensed, kin, before, memory, fallen, hit, succeeded)
    terminated = fallen | succeeded
    return Step(
        memory=memory,
        observation=observe(xp, anatomy, env, memory, sensed, hide_target(xp, seen, struck >= 0)),
        rewards=rewards(xp, env, moment, task_share),
        reasons=reasons,
        succeeded=succeeded,
        terminated=terminated,
        truncated=(memory.step >= env.max_episode_steps) & ~terminated,
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
        diverged=sensed.diverged,
    )
