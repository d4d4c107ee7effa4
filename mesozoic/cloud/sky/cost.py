"""Money, before: price tables from SkyPilot's catalogs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mesozoic.cloud.estimate import OVERHEAD_HOURS, cheapest_first, duration, paid_hours, possible
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import CLOUDS, LaunchRequest
from mesozoic.cloud.sky.offers import find_offers
from mesozoic.cloud.sky.preflight import preflight
from mesozoic.cloud.sky.task import task_for
from mesozoic.errors import UserError


def price_table(request: LaunchRequest) -> list[str]:
    """Lines of a table: each kind of machine that would do, per cloud, on demand and as spot.

    Raises:
        UserError: nothing of the kind is offered.
    """
    slurm = preflight("slurm").ready
    clouds = [cloud for cloud in CLOUDS if cloud != "slurm" or slurm]
    on_demand = [] if request.spot else _cheapest(find_offers(task_for(request), clouds), request)
    spot = _spot_prices(request, clouds)
    if request.spot and not spot:
        find_offers(task_for(request), clouds)  # says why not
    kinds = list(dict.fromkeys([*(_kind(one) for one in on_demand), *spot]))
    prices = {_kind(one): one for one in on_demand}
    header = f"{'cloud':<7} {'machine':<24} {'GPU':<12} {'$/h':>7} {'spot $/h':>9} {'total $':>9}"
    lines = [header, *(_line(request, prices.get(kind), spot.get(kind)) for kind in kinds)]
    every = [*on_demand, *spot.values()]
    best = cheapest_first(every, request)[0]
    physics = request.trainings.lines([offer.placement for offer in every])
    return [*lines, *_footnotes(request, best.placement), *physics]


def _spot_prices(request: LaunchRequest, clouds: Sequence[str]) -> dict[tuple[str, str, str], Offer]:
    try:
        offers = find_offers(task_for(replace(request, spot=True)), [cloud for cloud in clouds if cloud != "slurm"])
    except UserError:
        return {}  # none of these clouds has spot machines
    return {_kind(one): one for one in _cheapest(offers, request)}


def _cheapest(offers: Sequence[Offer], request: LaunchRequest) -> list[Offer]:
    """The cheapest region of each kind of machine, cheap kinds first."""
    best: dict[tuple[str, str, str], Offer] = {}
    for offer in cheapest_first(possible(offers, request), request):
        best.setdefault(_kind(offer), offer)
    return list(best.values())


def _kind(offer: Offer) -> tuple[str, str, str]:
    placement = offer.placement
    return placement.cloud, placement.instance_type, placement.accelerators


def _line(request: LaunchRequest, offer: Offer | None, spot: Offer | None) -> str:
    shown = offer or spot
    if shown is None:
        return ""
    hours = paid_hours(request, shown.placement)
    total = "?" if hours is None else f"{shown.price * hours:.2f}"
    cloud, machine, gpu = _kind(shown)
    dollars = [f"{one.price:.2f}" if one else "-" for one in (offer, spot)]
    return f"{cloud:<7} {machine:<24} {gpu or '-':<12} {dollars[0]:>7} {dollars[1]:>9} {total:>9}"


def _footnotes(request: LaunchRequest, placement: Placement) -> list[str]:
    notes = [f"{request.species}, stage {request.stage}; prices from SkyPilot's catalogs, cheapest region of each"]
    notes.append(duration(request, placement))
    if request.max_hours is None:
        notes.append("total: give --max-hours to see it")
    else:
        notes.append(
            f"total: on demand, {request.max_hours:g} h of training and {OVERHEAD_HOURS:.2f} h of set-up and idling"
        )
    return notes
