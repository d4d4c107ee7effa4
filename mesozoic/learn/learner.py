"""The small interface behind which every learner stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mesozoic.errors import UserError
from mesozoic.learn.policy import Policy

State = dict[str, Any]
"""Nested dictionaries of numpy arrays and JSON scalars."""
Metrics = Mapping[str, float]
"""Name -> value."""


class Diverged(UserError):
    """An update gave something that is not finite. The learner is as it was before that update."""

    def __init__(self, step: int, learning_rate: float, what: str) -> None:
        super().__init__(
            f"training diverged at {step:,} steps: {what} is not finite (learning rate {learning_rate:.3g});"
            " lower the learning rate or the reward weights and start over, or begin with an earlier policy (--load)"
        )
        self.step = step


class Learner(Protocol):
    """Improves a policy by acting in the environment that it was given."""

    @property
    def step(self) -> int:
        """Environment steps taken so far, over all worlds."""

    def learn(self) -> Metrics:
        """One iteration: collect, update, count; metrics of it.

        Raises:
            Diverged: something is not finite; the state is that of before the update.
        """

    def policy(self) -> Policy:
        """The current policy, portable."""

    def state(self) -> State:
        """Everything needed to continue bit for bit, that of the environment included."""

    def set_state(self, state: State) -> None:
        """Continue from what `state()` returned."""
