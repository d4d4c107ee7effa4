"""What a sweep means to Optuna: its sampler, its pruner, and each parameter with its values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from mesozoic.config.override import parse_value, write_value
from mesozoic.sweep.plan import SweepPlan
from mesozoic.sweep.space import Choice, Parameter, Point

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

STARTUP = 10
"""Random points before TPE begins to learn from them; fewer in a small sweep."""
LIST = "list: "
"""What a list begins with where Optuna keeps it, as text."""


def sampler_of(plan: SweepPlan, number: int) -> BaseSampler:
    """Chooses the values of a ticket: what it draws depends on the sweep's seed and the ticket alone."""
    import numpy as np
    from optuna.samplers import RandomSampler, TPESampler

    seed = int(np.random.SeedSequence([plan.spec.seed, number]).generate_state(1)[0])
    if plan.method != "bayes":
        return RandomSampler(seed)
    return TPESampler(seed=seed, n_startup_trials=min(STARTUP, max(3, plan.trials // 4)), constant_liar=True)


def pruner_of(plan: SweepPlan) -> BasePruner:
    """Ends trials that are not worth more."""
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

    if plan.pruner == "asha":
        return SuccessiveHalvingPruner(min_resource=plan.first, reduction_factor=plan.eta)
    if plan.pruner == "hyperband":
        most = max(plan.budget * plan.seeds, plan.first)
        return HyperbandPruner(min_resource=plan.first, max_resource=most, reduction_factor=plan.eta)
    if plan.pruner == "median":
        return MedianPruner(n_startup_trials=3, n_warmup_steps=plan.first - 1)
    return NopPruner()


def first_values(plan: SweepPlan) -> Sequence[dict[str, Any]]:
    """The values that each ticket has from the begin: of a grid all of them, else none."""
    if plan.method != "grid":
        return [{}] * plan.trials
    values = [_choices(one.domain) for one in plan.parameters if isinstance(one.domain, Choice)]
    names = [one.path for one in plan.parameters]
    points = (dict(zip(names, chosen, strict=True)) for chosen in product(*values))
    return list(islice(points, plan.trials))


def suggested(trial: Trial, one: Parameter) -> Any:
    """The value that a trial has, drawn now if it has none yet."""
    domain = one.domain
    if isinstance(domain, Choice):
        return _back(trial.suggest_categorical(one.path, _choices(domain)))
    if domain.whole:
        step = 1 if domain.log else int(domain.step or 1)
        return trial.suggest_int(one.path, int(domain.low), int(domain.high), log=domain.log, step=step)
    return trial.suggest_float(one.path, domain.low, domain.high, log=domain.log, step=domain.step)


def _choices(domain: Choice) -> list[Any]:
    """The values as Optuna keeps them: lists as text."""
    return [LIST + write_value(one) if isinstance(one, list | dict) else one for one in domain.values]


def _back(value: Any) -> Any:
    return parse_value(value.removeprefix(LIST)) if isinstance(value, str) and value.startswith(LIST) else value


def point_of(params: Point) -> dict[str, Any]:
    """The values as trials get them."""
    return {path: _back(value) for path, value in params.items()}
