"""One step of the decision process, from what was sensed to reward and end."""

from __future__ import annotations

from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import XP, Array, Memory, Sensed, Step
from mesozoic.task.control import clip_action
from mesozoic.task.kinematics import kinematics
from mesozoic.task.observe import observe
from mesozoic.task.reward import Moment, rewards
from mesozoic.task.termination import end_reasons


def first_observation(xp: XP, anatomy: Anatomy, memory: Memory, sensed: Sensed) -> Array:
    """The observation right after a reset, [n, nobs]."""
    return observe(xp, anatomy, memory, sensed, kinematics(xp, anatomy, memory, sensed))


def step(xp: XP, anatomy: Anatomy, env: EnvSection, memory: Memory, sensed: Sensed, action: Array) -> Step:
    """Judge the control step that `action` [n, nu] led to.

    A world whose physics diverged counts as fallen and ends; it is observed as if it stood at home,
    so that nothing of it that is not finite leaves this function, not even its action.
    """
    action = xp.where(sensed.diverged[:, None], 0.0, clip_action(xp, action))
    sensed = _mask_diverged(xp, anatomy, sensed)
    prev_action = memory.prev_action
    memory = memory._replace(step=memory.step + 1, prev_action=action)
    kin = kinematics(xp, anatomy, memory, sensed)
    reasons = end_reasons(env, kin, sensed.diverged)
    terminated = reasons["low"] | reasons["tilted"] | reasons["diverged"]
    moment = Moment(anatomy, sensed, kin, action, prev_action, fallen=terminated)
    return Step(
        memory=memory,
        observation=observe(xp, anatomy, memory, sensed, kin),
        rewards=rewards(xp, env, moment),
        reasons=reasons,
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
        site_pos=xp.where(bad[:, :, None], 0.0, sensed.site_pos),
        diverged=sensed.diverged,
    )
