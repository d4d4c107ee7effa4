"""What sweeps on Vertex AI may cost, before they are submitted: in words, and held against the limits of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mesozoic.cloud.estimate import SETUP_MINUTES, overhead_hours
from mesozoic.cloud.limits import affordable
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import LaunchRequest, positive
from mesozoic.cloud.vertex.request import JobPlace, need_price
from mesozoic.sweep.engines.vertex import parallel_of
from mesozoic.sweep.plan import SweepPlan

LONGEST = 168.0
"""Hours after which Google ends a trial where nobody says it."""


@dataclass(frozen=True)
class TuningCost:
    """The tuning jobs of some stages, one after the other.

    Args:
        where: a trial's machine, and after how many hours Google ends it.
    """

    where: JobPlace
    plans: Sequence[SweepPlan]

    @property
    def trials(self) -> int:
        """Of all stages."""
        return sum(plan.trials for plan in self.plans)

    def total(self) -> str:
        """What they come to, in words: a limit where `--timeout` makes one."""
        price, hours = self.where.placement.price, self.where.timeout_hours
        if price is None:
            return f"total: unknown, {self.where.machine.type} is not in mesozoic/cloud/vertex/prices.toml"
        paid = (hours or LONGEST) + overhead_hours(self.where.placement)
        dollars = f"${self.trials * price * paid:,.2f}"
        if hours is None:
            return (
                f"total: unknown; Google ends a trial after {LONGEST:g} h, which would be {dollars} for {self.trials}"
                " trials: --timeout HOURS sets a lower limit"
            )
        lasts = f"{self.trials} trials of {hours:g} h, {SETUP_MINUTES} min allowed for each one's set-up"
        if self.where.spot:
            return f"total: about {dollars} ({lasts}) if no machine is taken away; this is no limit"
        return f"total: at most about {dollars} ({lasts})"

    def limit(self, max_hourly_cost: float | None, max_cost: float | None) -> None:
        """Hold them against limits, by the rule for everything that is rented.

        Args:
            max_hourly_cost: dollars an hour, of all trials that run side by side; max_cost: dollars in all.

        Raises:
            UserError: they cost more, or nobody knows how much.
        """
        hourly, whole = positive(max_hourly_cost, "--max-hourly-cost"), positive(max_cost, "--max-cost")
        need_price(self.where, hourly, whole)
        side = max(parallel_of(plan) for plan in self.plans)
        request = LaunchRequest(max_hours=self.where.timeout_hours, managed=self.where.spot)
        affordable([self._offer(side)], replace(request, max_hourly_cost=hourly))
        affordable([self._offer(self.trials)], replace(request, max_cost=whole), "--timeout")

    def _offer(self, machines: int) -> Offer:
        """So many of a trial's machines as one offer."""
        placement: Placement = self.where.placement
        price = None if placement.price is None else machines * placement.price
        return Offer(replace(placement, nodes=machines, price=price), None, None)
