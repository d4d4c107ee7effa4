"""What may be spent: keeps the offers that `--max-hourly-cost` and `--max-cost` allow."""

from __future__ import annotations

from collections.abc import Sequence

from mesozoic.cloud.estimate import paid_hours
from mesozoic.cloud.offer import Offer
from mesozoic.cloud.request import LaunchRequest
from mesozoic.errors import UserError


def affordable(offers: Sequence[Offer], request: LaunchRequest, hours: str = "--max-hours") -> list[Offer]:
    """The offers within both limits, in the same order.

    Args:
        hours: the option that says how long it lasts.

    Raises:
        UserError: none is, or `--max-cost` is given and nobody knows how long the job lasts.
    """
    return _within_total(_within_hourly(list(offers), request.max_hourly_cost), request, hours)


def _within_hourly(offers: list[Offer], limit: float | None) -> list[Offer]:
    if limit is None:
        return offers
    kept = [offer for offer in offers if offer.price <= limit]
    if not kept:
        cheapest = min(offers, key=lambda offer: offer.price)
        raise UserError(
            f"--max-hourly-cost {limit:g} is below every offer; the cheapest is {cheapest.placement} at"
            f" ${cheapest.price:.2f}/h: raise it, or try --spot or another --gpus"
        )
    return kept


def _within_total(offers: list[Offer], request: LaunchRequest, option: str) -> list[Offer]:
    if request.max_cost is None:
        return offers
    if request.managed:
        raise UserError(
            "--max-cost cannot be kept by a managed job, which pays for another machine whenever one is taken away;"
            f" leave it out, and limit the training with {option} and the price with --max-hourly-cost"
        )
    totals = [(offer.price * hours, offer) for offer in offers if (hours := paid_hours(request, offer.placement))]
    if not totals:
        raise UserError(
            f"--max-cost needs {option}, because how long training takes on these machines is not measured; type for"
            f" example {option} 2 --max-cost {request.max_cost:g}"
        )
    kept = [offer for total, offer in totals if total <= request.max_cost]
    if not kept:
        total, cheapest = min(totals, key=lambda one: one[0])
        raise UserError(
            f"--max-cost {request.max_cost:g} is below every offer; the cheapest is {cheapest.placement}, about"
            f" ${total:.2f} in all with set-up: raise it, or lower {option}"
        )
    return kept
