"""What is rented now, in words and figures: age, state, idle time, price, money spent and when it ends itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mesozoic.cloud.ledger import Launch, launched
from mesozoic.cloud.providers import Rented
from mesozoic.cloud.sky.client import CloudClient, Cluster, Job, Pool, Spent
from mesozoic.cloud.sky.inventory import Inventory
from mesozoic.cloud.spans import span
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


def describe_all(client: CloudClient, found: Inventory, now: float | None = None) -> list[Rented]:
    """All of this project that is there or may be, clusters first."""
    moment = time.time() if now is None else now
    books = _books(client) if found.clusters else {}
    rows = [_row(client, cluster, books.get(cluster.name), moment) for cluster in found.clusters]
    return [
        *(_cluster(row) for row in rows),
        *(_managed(job) for job in found.jobs),
        *(_pool(pool) for pool in found.pools),
        *(_unseen(launch, moment) for launch in found.unseen),
    ]


def _cluster(row: Row) -> Rented:
    price = "price unknown" if row.price is None else f"${row.price:.2f}/h"
    spent = "" if row.spent is None else f", about ${row.spent:.2f} spent"
    idle = "" if row.idle is None else f", idle {span(row.idle)}" if row.idle else ", busy"
    jobs = f", jobs: {row.jobs}" if row.jobs else ""
    text = f"{row.machine}; {span(row.age)} old{idle}{jobs}; {price}{spent}; ends itself: {row.ends_itself}"
    return Rented(row.name, "clusters", row.state, text, details=dict(row.__dict__), warning=row.warning)


def _managed(job: Job) -> Rented:
    where = f" of pool {job.pool}" if job.pool else ""
    text = (
        f"{job.resources or 'no machine yet'}{where}; {job.recoveries} recoveries; gives its machine back when it ends"
    )
    details = {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "recoveries": job.recoveries,
        "pool": job.pool,
        "resources": job.resources,
    }
    return Rented(job.name, "managed_jobs", job.state, text, what=f"managed job {job.id}", details=details)


def _pool(pool: Pool) -> Rented:
    workers = ", ".join(f"{name} ({state})" for name, state in pool.workers) or "no workers yet"
    warning = (
        ""
        if pool.state == "SHUTTING_DOWN"
        else f"its workers wait for jobs for ever; type: mesozoic cloud down {pool.name}"
    )
    details = {"name": pool.name, "state": pool.state, "workers": [list(worker) for worker in pool.workers]}
    return Rented(pool.name, "pools", pool.state, workers, what="pool", details=details, warning=warning)


def _unseen(launch: Launch, now: float) -> Rented:
    ago = span(max(0.0, now - launch.time))
    return Rented(
        launch.name,
        "unseen",
        "ASKED FOR",
        f"asked for {ago} ago; SkyPilot lists nothing of that name (yet)",
        what=launch.kind,
        details={"name": launch.name, "state": "ASKED FOR", "kind": launch.kind, "asked_at": launch.time},
        warning=f"unless its launch still runs, type: mesozoic cloud down {launch.name}",
    )


def beside(found: Inventory) -> list[str]:
    """What else the user should know of, and that is not ended from here."""
    lines = [f"note: not everything could be listed: {reason}" for reason in found.unanswered]
    lines += [
        f"note: {one.name} is gone: it ended itself, was ended by somebody or was taken away" for one in found.gone
    ]
    lines += [
        f"note: {one.name} ({one.state}) was not launched from here; if it is yours, end it with: sky down {one.name}"
        for one in found.strangers
    ]
    lines += [
        f"note: {one.name} ({one.state}) is SkyPilot's own machine for managed jobs and pools, and is paid for: "
        f"{'its disk' if one.state == 'STOPPED' else ends_itself(one)}; when no job needs it, type: sky down {one.name}"
        for one in found.controllers
    ]
    return lines


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
