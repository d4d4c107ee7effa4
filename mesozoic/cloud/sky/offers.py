"""What could be rented: every candidate of a task with its price, from SkyPilot's own catalogs, in this process.

This asks each cloud's part of SkyPilot what fits, the way its optimizer does, but needs neither its server nor an
account: so prices are known before anything is set up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from mesozoic.cloud.estimate import cheapest_first, possible
from mesozoic.cloud.limits import affordable
from mesozoic.cloud.offer import Offer
from mesozoic.cloud.request import CLOUDS, LaunchRequest
from mesozoic.cloud.sky.deadline import LOOKING, within
from mesozoic.cloud.sky.sky_client import describe
from mesozoic.cloud.sky.sky_errors import import_sky, one_line, plain_errors
from mesozoic.errors import UserError, did_you_mean


def find_offers(task: Any, clouds: Collection[str] = CLOUDS) -> list[Offer]:
    """Offers in the order in which they are tried: that of the file if it has one, and cheap before dear.

    Raises:
        UserError: no cloud among `clouds` offers this; close names are suggested.
    """
    import_sky()
    with plain_errors():
        ordered = isinstance(task.resources, list)
        offers: list[Offer] = []
        close: set[str] = set()
        hints: list[str] = []
        for wanted in task.resources:
            # The price lists may have to be fetched, which SkyPilot waits for without a limit.
            ask = partial(_offers_of, wanted, task.num_nodes, clouds)
            found, fuzzy, hint = within(LOOKING, "price lists", ask)
            offers += sorted(found, key=lambda offer: offer.price)
            close |= fuzzy
            hints += hint
    if not ordered:
        offers.sort(key=lambda offer: offer.price)
    if not offers:
        raise _nothing(task, clouds, close, hints)
    return offers


def _offers_of(wanted: Any, nodes: int, clouds: Collection[str]) -> tuple[list[Offer], set[str], list[str]]:
    """Offers for one candidate, names of GPUs close to the one asked for, and what clouds had to say."""
    from sky.utils import registry, resources_utils

    names = list(clouds) if wanted.cloud is None else [str(wanted.cloud).lower()]
    offers: list[Offer] = []
    close: set[str] = set()
    hints: list[str] = []
    for name in names:
        if name not in clouds:
            continue
        cloud = registry.CLOUD_REGISTRY.from_str(name)
        feasible = cloud.get_feasible_launchable_resources(wanted, nodes)
        close |= set(feasible.fuzzy_candidate_list)
        if feasible.hint:
            hints.append(_reason(feasible.hint))
        if not feasible.resources_list:
            continue
        cheapest = feasible.resources_list[0]
        cores, _ = cloud.get_vcpus_mem_from_instance_type(cheapest.instance_type)
        for one in resources_utils.make_launchables_for_valid_region_zones(cheapest):
            placement = describe(one, nodes)
            if placement.price is not None:  # no price in this region: not sold like that here
                offers.append(Offer(placement, cores, one))
    return offers, close, hints


def _nothing(task: Any, clouds: Collection[str], close: set[str], hints: Sequence[str]) -> UserError:
    wanted = sorted({(name, count) for one in task.resources for name, count in (one.accelerators or {}).items()})
    names = [f"{name}:{count:g}" for name, count in wanted]
    asked = f"GPU {' or '.join(names)}" if names else "machine of that size"
    if any(one.use_spot for one in task.resources):
        asked = f"spot {asked}"
    named = {str(one.cloud).lower() for one in task.resources if one.cloud is not None}
    there = [cloud for cloud in clouds if not named or cloud in named]
    where = ", ".join(there) or "any cloud that is set up"
    why = f" ({hints[0]})" if hints else ""
    return UserError(
        f"no {asked} is offered on {where}{why}{_near(wanted, there, close)} 'mesozoic cloud cost' lists what is"
    )


def _near(wanted: Sequence[tuple[str, float]], there: Sequence[str], close: set[str]) -> str:
    """What there is instead: other numbers of that GPU, other clouds that have it, or GPUs of a similar name."""
    known = _gpu_counts()
    name = wanted[0][0] if len(wanted) == 1 else ""
    if name in known:
        here = sorted({count for cloud, count in known[name] if cloud in there})
        if here:
            return f"; there it comes as {' or '.join(f'{name}:{count:g}' for count in here)};"
        elsewhere = sorted({cloud for cloud, _ in known[name]})
        return f"; it is offered on {', '.join(elsewhere)};"
    if close:
        return f"; did you mean {' or '.join(sorted(close)[:4])}?"
    return (did_you_mean(name, known) if name else "") or ";"


def _gpu_counts() -> dict[str, set[tuple[str, float]]]:
    """Of each GPU in the price lists that are at hand: clouds, and how many of it a machine of theirs has."""
    from sky import catalog

    try:
        found = catalog.list_accelerators(gpus_only=True, clouds=[name for name in CLOUDS if name != "slurm"])
    except Exception:  # only there to suggest something
        return {}
    return {name: {(str(one.cloud).lower(), one.accelerator_count) for one in kinds} for name, kinds in found.items()}


def _reason(hint: str) -> str:
    """SkyPilot's reason why a cloud cannot do this, without the table around it."""
    last = [line.strip() for line in str(hint).splitlines() if line.strip()][-1]
    return one_line(last.partition("  ")[2] or last).rstrip(".")


def pin(task: Any, offers: Sequence[Offer]) -> None:
    """Let the task use these offers and no other, in this order, so that no dearer region is ever fallen back on."""
    with plain_errors():
        task.set_resources([offer.resources for offer in offers])


def narrow(task: Any, offers: Sequence[Offer], clouds: Collection[str], request: LaunchRequest) -> list[Offer]:
    """Let the task use only offers that can do the training and are affordable, and no cloud without credentials.

    Args:
        offers: all of them, as `find_offers` returns them.

    Returns:
        Those offers in the order in which they are tried: that of the file if it has one, else the cheapest first.

    Raises:
        UserError: nothing can, or nothing is affordable.
    """
    kept = affordable(possible(offers, request), request)
    if not isinstance(task.resources, list):
        kept = cheapest_first(kept, request)
    if kept != list(offers):
        pin(task, kept)
    else:
        reachable = [one for one in task.resources if one.cloud is None or str(one.cloud).lower() in clouds]
        task.set_resources(type(task.resources)(reachable))
    return kept
