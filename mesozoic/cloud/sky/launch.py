"""Renting a machine for a training: what it would be, the launch itself, and never leaving half of one behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesozoic.cloud.estimate import IDLE_MINUTES, explain
from mesozoic.cloud.ledger import begin, write_ledger
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import LaunchRequest, make_request
from mesozoic.cloud.sky.client import CloudClient, SoldOut
from mesozoic.cloud.sky.offers import find_offers, narrow
from mesozoic.cloud.sky.preflight import Preflight, clouds_to_plan
from mesozoic.cloud.sky.provider import SkyProvider
from mesozoic.cloud.sky.quota import quota_sentence, quota_sentences, refuse_without_quota
from mesozoic.cloud.sky.task import check_machines, settings_of, task_for
from mesozoic.cloud.undo import PATIENCE, undone_on_failure
from mesozoic.errors import UserError

Say = Callable[[str], None]
SHOWN = 5
"""Kinds of machine that a plan lists."""


@dataclass(frozen=True)
class Plan:
    """What a request comes to before anything is rented; `missing` are clouds without credentials."""

    request: LaunchRequest
    task: Any = field(repr=False)
    offers: list[Offer]
    missing: list[Preflight]

    def lines(self) -> list[str]:
        """The plan for a person: what, at which price, how long, how much."""
        request = self.request
        what = "managed job" if request.managed else "cluster"
        settings = [f"{name}={value}" for name, value in request.envs.items() if value]
        lines = [f"{what} {request.name}: trains {request.species}, stage {request.stage}", "  " + " ".join(settings)]
        kinds = _kinds(self.offers)
        for number, (placement, regions) in enumerate(kinds[:SHOWN], 1):
            lines.append(f"  {number}. ${placement.price:.2f}/h  {_without_region(placement)} in {_some(regions)}")
        if len(kinds) > SHOWN:
            lines.append(f"  and {len(kinds) - SHOWN} more")
        placements = [placement for placement, _ in kinds]
        lines += [f"  {line}" for line in (*request.trainings.lines(placements), *explain(request, placements))]
        if request.managed:
            lines.append("  beside it SkyPilot's jobs controller runs, a small machine that is paid for as well")
        else:
            lines.append(f"  terminates itself after {IDLE_MINUTES} idle minutes; what is on its disk is lost then")
        if self.missing:
            names = ", ".join(one.cloud for one in self.missing)
            lines.append(f"  no credentials for {names}: 'mesozoic cloud check' says what to type")
        return lines


def _kinds(offers: Sequence[Offer]) -> list[tuple[Placement, list[str]]]:
    """Offers of the same machine at the same price, with their regions."""
    found: dict[tuple[str, float], tuple[Placement, list[str]]] = {}
    for offer in offers:
        key = (_without_region(offer.placement), offer.price)
        regions = found.setdefault(key, (offer.placement, []))[1]
        if offer.placement.region not in regions:
            regions.append(offer.placement.region)
    return list(found.values())


def _without_region(placement: Placement) -> str:
    return str(placement).removesuffix(f" in {placement.region}")


def _some(regions: Sequence[str]) -> str:
    more = f" and {len(regions) - 3} more regions" if len(regions) > 3 else ""
    return ", ".join(regions[:3]) + more


def read_request(envs: Mapping[str, str], *, file: Path | None, managed: bool = False, **options: Any) -> LaunchRequest:
    """`make_request` with the settings of the task file under those of `envs` and `options`.

    Raises:
        UserError: the file cannot be read, or something is wrong with the request.
    """
    settings = settings_of(LaunchRequest(file=file, managed=managed).task_file)
    return make_request(envs, settings=settings, file=file, managed=managed, **options)


def make_plan(request: LaunchRequest, dry_run: bool = False) -> Plan:
    """Find out what a request can be met with. Rents nothing and talks to no cloud.

    Args:
        dry_run: also show what a cloud without credentials here would offer.

    Raises:
        UserError: missing credentials, unknown GPU, limits below every offer.
    """
    clouds, missing = clouds_to_plan(request.infra, dry_run)
    task = task_for(request)
    check_machines(task, request.task_file)
    return Plan(request, task, narrow(task, find_offers(task, clouds), clouds, request), missing)


@dataclass(frozen=True)
class Submitted:
    """A cluster that is up, and the job that was submitted to it."""

    name: str
    job: int | None
    placement: Placement | None


def refuse_existing(client: CloudClient, name: str) -> None:
    """Never launch onto something that is there.

    Raises:
        UserError: a cluster has this name.
    """
    for cluster in client.clusters([name]):
        raise UserError(
            f"a cluster '{name}' exists already ({cluster.state}); type 'mesozoic cloud exec {name}' to run on it,"
            f" 'mesozoic cloud down {name}' to end it, or another --name"
        )


def check_access(client: CloudClient, offers: Sequence[Offer]) -> None:
    """Have SkyPilot try the credentials if it has not accepted any of these clouds before.

    Raises:
        UserError: none of them works.
    """
    clouds = list(dict.fromkeys(offer.placement.cloud for offer in offers))
    if set(clouds) & set(client.enabled_clouds()) or set(clouds) & set(client.check(clouds)):
        return
    raise UserError(
        f"SkyPilot could not use the credentials of {', '.join(clouds)}; type 'sky check {' '.join(clouds)}' for the"
        " reason, and 'mesozoic cloud check' for what to type"
    )


def rent(client: CloudClient, plan: Plan, say: Say, patience: float = PATIENCE) -> Submitted:
    """Launch the cluster and submit the job; on any failure or Ctrl-C take everything down again.

    Raises:
        UserError: it failed; the sentence says whether anything may be left. It exits with 128 + signal if a signal
            ended it.
    """
    request, name = plan.request, plan.request.name
    refuse_existing(client, name)
    check_access(client, plan.offers)
    if request.retry:
        refuse_without_quota(plan.offers)
    _remember(plan)
    with undone_on_failure(SkyProvider(client), name, say, patience, lambda error: why(plan.offers, error)):
        job, placement = bring_up(client, plan.task, name, request.retry, plan.offers, say)
    return Submitted(name, job, placement)


def bring_up(
    client: CloudClient, task: Any, name: str, retry: bool, offers: Sequence[Offer], say: Say
) -> tuple[int | None, Placement | None]:
    """Ask for a cluster that the ledger knows, wait until its first job is submitted, and see that it ends itself.

    Raises:
        UserError: it failed, and something of it may be there.
    """
    running = client.start_launch(task, name, retry, IDLE_MINUTES)
    write_ledger("asked", name, request=running)
    job, handle = client.finish_launch(running)
    placement = client.placement(handle)
    say(which_was_taken(offers, placement))
    price = placement.price if placement else None
    write_ledger("up", name, placement=str(placement), price=price, job=job, identity=_limited(client, name))
    return job, placement


def _limited(client: CloudClient, name: str) -> str:
    """See that a new cluster has its own idle limit, whatever it found on the machine; the identity of the cluster."""
    for cluster in client.clusters([name]) or client.clusters([name], refresh=True):
        if cluster.autostop_minutes != IDLE_MINUTES or not cluster.autodown:
            client.autodown(name, IDLE_MINUTES)
        return cluster.identity
    raise UserError(f"SkyPilot says that {name} is up, and does not list it")


def rent_managed(client: CloudClient, plan: Plan, say: Say, patience: float = PATIENCE) -> int:
    """Submit a managed job; its id. SkyPilot finds, and after a pre-emption finds again, the machine for it.

    Raises:
        UserError: it could not be submitted, or a job of that name is running.
    """
    name = plan.request.name
    for job in client.managed_jobs():
        if job.name == name and not job.ended:
            raise UserError(f"a managed job '{name}' is {job.state} already; give another --name")
    check_access(client, plan.offers)
    refuse_without_quota(plan.offers)
    _remember(plan)
    with undone_on_failure(SkyProvider(client), name, say, patience, lambda error: why(plan.offers, error)):
        number = client.launch_managed(plan.task, name)
        write_ledger("up", name, job=number, identity=str(number))
    say(f"managed job {number} ({name}) is submitted")
    return number


def _remember(plan: Plan) -> None:
    """Into the ledger before the launch: a machine that is half made must be found as well."""
    request, first = plan.request, plan.offers[0]
    begin(
        "managed job" if request.managed else "cluster",
        request.name,
        file=str(request.task_file),
        envs={name: value for name, value in request.envs.items() if value},
        run_name=request.run_name,
        managed=request.managed,
        max_hours=request.max_hours,
        offer=str(first.placement),
        price=first.placement.price,
    )


def which_was_taken(offers: Sequence[Offer], taken: Placement | None) -> str:
    """One line: what is rented now, and what was preferred but not available."""
    if taken is None:
        return "rented"
    price = "" if taken.price is None else f" at ${taken.price:.2f}/h"
    kinds = [placement for placement, _ in _kinds(offers)]
    same = [placement.instance_type == taken.instance_type and placement.cloud == taken.cloud for placement in kinds]
    before = kinds[: same.index(True)] if True in same else []
    passed = ", ".join(_without_region(placement) for placement in before)
    return f"rented: {taken}{price}" + (f"; not available: {passed}" if before else "")


def why(offers: Sequence[Offer], error: BaseException) -> str:
    """Why a launch failed, in words."""
    if not isinstance(error, SoldOut):
        return str(error)
    tried = ", ".join(_without_region(placement) for placement, _ in _kinds(offers)[:SHOWN])
    quotas = quota_sentences(error.reasons)
    if quotas and all(quota_sentence(reason) for reason in error.reasons):
        return f"no quota for {tried}: {'; '.join(quotas[:3])}; or take another cloud with --infra"
    if quotas:
        return f"sold out or refused: {tried}; {'; '.join(quotas[:3])}; or try --retry-until-up or more --infra"
    return (
        f"sold out or refused: {tried}; last answer: {str(error).rstrip('.')}; try --retry-until-up, another --gpus"
        " or more --infra"
    )
