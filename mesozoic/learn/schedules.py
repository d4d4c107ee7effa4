"""Hyperparameters that change while a stage is trained, as functions of the step alone.

A resumed run therefore goes on exactly where the schedule stood.
"""

from __future__ import annotations

from mesozoic.config import CurriculumSection, PPOSection


def progress(plan: CurriculumSection, step: int) -> float:
    """Share of the budget used, 0 to 1."""
    return min(1.0, step / plan.timesteps)


def warming_up(plan: CurriculumSection, step: int) -> bool:
    """Whether the policy is still held close to the one it began as, while the critic gets used to the stage."""
    return step < plan.warmup_timesteps


def learning_rate(ppo: PPOSection, plan: CurriculumSection, step: int) -> float:
    """Linear from `learning_rate` to `learning_rate_end` over the budget."""
    end = ppo.learning_rate if ppo.learning_rate_end is None else ppo.learning_rate_end
    return ppo.learning_rate + progress(plan, step) * (end - ppo.learning_rate)


def ent_coef(ppo: PPOSection, plan: CurriculumSection, step: int) -> float:
    """`warmup_ent_coef` during the warm-up; else falling to 0 in `ent_anneal_fraction` of the budget."""
    if warming_up(plan, step) and plan.warmup_ent_coef is not None:
        return plan.warmup_ent_coef
    return ppo.ent_coef * max(0.0, 1.0 - progress(plan, step) / ppo.ent_anneal_fraction)


def clip_range(ppo: PPOSection, plan: CurriculumSection, step: int) -> float:
    """`warmup_clip_range` during the warm-up, then `clip_range`."""
    return plan.warmup_clip_range if warming_up(plan, step) else ppo.clip_range


def log_std(ppo: PPOSection, plan: CurriculumSection, step: int) -> float | None:
    """Exploration that shrinks with the budget, or None where it is learned.

    A policy that leans on its own noise is no use without it, so the noise is taken away in time.
    """
    if ppo.log_std_end is None:
        return None
    share = min(1.0, step / (plan.timesteps * ppo.log_std_fraction))
    return ppo.log_std_init + share * (ppo.log_std_end - ppo.log_std_init)


def ramp_share(plan: CurriculumSection, step: int) -> float:
    """Share of the weights of locomotion and behaviour terms that counts at `step`: from `ramp_start_value` to 1."""
    if step >= plan.ramp_timesteps:
        return 1.0
    return plan.ramp_start_value + step / plan.ramp_timesteps * (1.0 - plan.ramp_start_value)
