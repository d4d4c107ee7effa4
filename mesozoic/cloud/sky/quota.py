"""Quotas of zero, or too small: recognised in what a cloud answers, and said with what to ask that cloud for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mesozoic.cloud.offer import Offer
from mesozoic.cloud.sky.deadline import within
from mesozoic.errors import UserError

CHECKING = 60.0
"""Seconds in which quotas are asked for; what is not known by then is tried all the same."""
_MOST = 30
"""Offers whose quota is asked for."""
_AWS = re.compile(r"VcpuLimitExceeded|MaxSpotInstanceCountExceeded|vCPU limit of")
_AWS_LIMIT = re.compile(r"current vCPU limit of (\d+)")
_GCP = re.compile(r"Quota '?([A-Z][A-Z0-9_-]+)'? exceeded\.?\s+Limit:\s*([\d.]+)(?:\s+(globally|in region [\w-]+))?")
_LAMBDA = re.compile(r"quota-exceeded|[Qq]uota exceeded")
_SKYPILOT = re.compile(r"Found no quota for (\S+) (on-demand|spot) instances in region (\S+) in (AWS|GCP)")


def quota_sentence(reason: str) -> str:
    """What a cloud's answer says about a quota, and where to ask for more; empty if it is about something else."""
    if found := _SKYPILOT.search(reason):
        machine, way, region, cloud = found.groups()
        return _aws("0", machine, way, region) if cloud == "AWS" else _gcp("the GPU quota", "0", f"in region {region}")
    if found := _GCP.search(reason):
        return _gcp(found[1], f"{float(found[2].rstrip('.')):g}", found[3] or "")
    if found := _AWS.search(reason):
        machine = re.search(r"\b([a-z][a-z0-9-]*\d[a-z0-9-]*\.\d*[a-z]+)\b", reason)
        region = re.search(r"\b([a-z]{2}-[a-z]+-\d)[a-z]?\b", reason)
        limit = _AWS_LIMIT.search(reason)
        way = "spot" if "Spot" in found[0] or "[Spot]" in reason else "on-demand"
        return _aws(limit[1] if limit else "", machine[1] if machine else "", way, region[1] if region else "")
    if _LAMBDA.search(reason):
        return "Lambda's quota for this account is used up or 0; ask for more at https://support.lambda.ai"
    return ""


def _aws(limit: str, machine: str, way: str, region: str) -> str:
    family = {"g": "G and VT", "v": "G and VT", "p": "P"}.get(machine[:1], "Standard (A, C, D, H, I, M, R, T, Z)")
    name = f"All {family} Spot Instance Requests" if way == "spot" else f"Running On-Demand {family} instances"
    amount = f"{limit} vCPUs" if limit else "too few vCPUs"
    where = f" in {region}" if region else ""
    return (
        f"AWS gives this account {amount} of this kind{where}; ask for more of '{name}' in its console under"
        " Service Quotas, Amazon EC2"
    )


def _gcp(name: str, limit: str, where: str) -> str:
    at = f" {where}" if where else ""
    return (
        f"GCP gives this project {limit} of {name}{at}; ask for more of it in its console under IAM & Admin,"
        " Quotas & System Limits"
    )


def quota_sentences(reasons: Sequence[str]) -> list[str]:
    """One sentence for each quota that stands in the way, none twice."""
    return [one for one in dict.fromkeys(quota_sentence(reason) for reason in reasons) if one]


def refuse_without_quota(offers: Sequence[Offer]) -> None:
    """Refuse what would be asked for again and again for ever, because no quota allows any of it.

    Raises:
        UserError: the clouds say that the quota is 0 for each of the offers.
    """

    def none_at(offer: Offer) -> bool:
        return not offer.resources.cloud.check_quota_available(offer.resources)

    def ask() -> list[bool]:
        with ThreadPoolExecutor(max_workers=8) as threads:
            return list(threads.map(none_at, offers))

    if len(offers) > _MOST or any(offer.placement.cloud not in ("aws", "gcp") for offer in offers):
        return  # only these two tell beforehand
    try:
        refused = within(CHECKING, "quotas", ask)
    except Exception:  # whatever keeps a cloud from telling: then the launch shows it
        return
    if refused and all(refused):
        ways = {one: "spot" if one.placement.spot else "on-demand" for one in offers}
        reasons = [
            f"Found no quota for {one.placement.instance_type} {ways[one]} instances in region {one.placement.region}"
            f" in {one.placement.cloud.upper()}"
            for one in offers
        ]
        raise UserError(f"no quota: {'; '.join(quota_sentences(reasons)[:3])}; or take another cloud with --infra")
