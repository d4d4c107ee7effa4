"""The W&B engine: the server hands out the points, agents run their trials (see `agent.py`)."""

from __future__ import annotations

from typing import Any

from mesozoic.errors import UserError
from mesozoic.sweep.plan import SweepPlan
from mesozoic.sweep.space import Choice, Range
from mesozoic.sweep.wandb_line import VALUE


def wandb_config(plan: SweepPlan) -> dict[str, Any]:
    """The sweep as W&B takes it.

    Raises:
        UserError: W&B has no such pruner.
    """
    if plan.pruner not in ("hyperband", "none"):
        raise UserError(f"W&B has no pruner '{plan.pruner}'; give --pruner hyperband or none")
    config: dict[str, Any] = {
        "method": plan.method,
        "name": f"{plan.spec.species}-stage{plan.stage}",
        "metric": {"name": VALUE, "goal": "maximize"},
        "run_cap": plan.trials,
        "command": ["${env}", "mesozoic", "sweep", "trial", *plan.trial_words({}), "${args}"],
        "parameters": {one.path: _parameter(one.domain) for one in plan.parameters},
    }
    if plan.pruner == "hyperband":
        config["early_terminate"] = {"type": "hyperband", "min_iter": max(1, plan.first_evaluation), "eta": plan.eta}
    return config


def _parameter(domain: Range | Choice) -> dict[str, Any]:
    if isinstance(domain, Choice):
        return {"values": list(domain.values)}
    if domain.whole and not domain.log:
        return {"distribution": "int_uniform", "min": int(domain.low), "max": int(domain.high)}
    bounds: dict[str, Any] = {"min": float(domain.low), "max": float(domain.high)}
    if domain.log:
        whole = {"q": 1.0} if domain.whole else {}
        return {"distribution": f"{'q_' if whole else ''}log_uniform_values", **bounds, **whole}
    if domain.step is not None:
        return {"distribution": "q_uniform", **bounds, "q": float(domain.step)}
    return {"distribution": "uniform", **bounds}
