"""What is rented now: age, state, idle time, price, money spent and when it ends itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mesozoic.cloud.ledger import launched
from mesozoic.cloud.sky.client import CloudClient, Cluster, Job, Spent
from mesozoic.cloud.sky.give_back import our_clusters
from mesozoic.errors import UserError


@dataclass(frozen=True)
class Row:
    """One cluster. Seconds for times; None where SkyPilot does not tell."""

    name: str
    state: str
    machine: str
    age: float
    idle: float | None
    jobs: str
    price: float | None
    spent: float | None
    ends_itself: str
    warning: str

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def status_rows(client: CloudClient, refresh: bool = False, now: float | None = None) -> list[Row]:
    """One row for each cluster of this project."""
    moment = time.time() if now is None else now
    clusters = our_clusters(client, refresh)
    books = _books(client) if clusters else {}
    return [_row(client, cluster, books.get(cluster.name), moment) for cluster in clusters]


def _books(client: CloudClient) -> dict[str, Spent]:
    try:
        return {one.name: one for one in client.spent(30) if one.alive}
    except UserError:
        return {}  # a status without the money column is better than none


def _row(client: CloudClient, cluster: Cluster, spent: Spent | None, now: float) -> Row:
    jobs = _jobs(client, cluster)
    price = cluster.placement.price if cluster.placement else None
    age = max(0.0, now - cluster.launched_at)
    dollars = spent.dollars if spent is not None else None
    if dollars is None and price is not None:
        dollars = price * age / 3600
    return Row(
        name=cluster.name,
        state=cluster.state,
        machine=str(cluster.placement or "not known yet"),
        age=age,
        idle=idle_seconds(jobs, cluster, now),
        jobs=_summary(jobs),
        price=price,
        spent=dollars,
        ends_itself=ends_itself(cluster),
        warning=_warning(cluster, age),
    )


def _jobs(client: CloudClient, cluster: Cluster) -> list[Job] | None:
    if cluster.state != "UP":
        return None
    try:
        return client.jobs(cluster.name)
    except UserError:
        return None  # the machine does not answer just now


def idle_seconds(jobs: list[Job] | None, cluster: Cluster, now: float) -> float | None:
    """Seconds since the last job ended, 0 while one runs or waits; None if the machine does not tell."""
    if jobs is None:
        return None
    if any(not job.ended for job in jobs):
        return 0.0
    last = max((job.ended_at for job in jobs if job.ended_at), default=cluster.launched_at)
    return max(0.0, now - last)


def _summary(jobs: list[Job] | None) -> str:
    if not jobs:
        return "" if jobs is None else "none"
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.state] = counts.get(job.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def ends_itself(cluster: Cluster) -> str:
    """When the cluster ends by itself, in words."""
    if cluster.autostop_minutes < 0:
        return "NEVER"
    return f"{'down' if cluster.autodown else 'stop'} after {cluster.autostop_minutes} min idle"


def _warning(cluster: Cluster, age: float) -> str:
    if cluster.state == "UP" and cluster.autostop_minutes < 0:
        return f"never ends by itself; type: mesozoic cloud down {cluster.name}"
    if cluster.state == "STOPPED":
        return f"its disk is still paid for; type: mesozoic cloud down {cluster.name}"
    limit = launched(cluster.name).get("max_hours")
    if limit and age > (float(limit) + 1) * 3600:
        return f"older than its --max-hours {limit:g}; look with: mesozoic cloud logs {cluster.name}"
    return ""
