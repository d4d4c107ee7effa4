"""Learners that go on for more than one iteration."""

from __future__ import annotations

from mesozoic.learn.learner import Learner


def learn_until(learner: Learner, step: int) -> dict[str, float]:
    """Learn in whole iterations until at least `step`; the metrics of the last one."""
    metrics: dict[str, float] = {}
    while learner.step < step:
        metrics = dict(learner.learn())
    return metrics
