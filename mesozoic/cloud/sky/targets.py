"""Which cluster or managed job a NAME means; without a NAME, the only one there is."""

from __future__ import annotations

from mesozoic.cloud.ledger import is_ours, read_ledger
from mesozoic.cloud.names import PREFIX
from mesozoic.cloud.sky.client import CloudClient, Cluster, Job
from mesozoic.cloud.sky.give_back import our_clusters
from mesozoic.errors import UserError, did_you_mean


def find_cluster(client: CloudClient, name: str | None, up: bool = True) -> Cluster:
    """The cluster of that name, with or without our prefix; without a name, the only one of this project.

    Args:
        up: refuse a cluster that is not UP.

    Raises:
        UserError: there is none, there are several, or it is not up.
    """
    if name is None:
        cluster = _only(our_clusters(client))
    else:
        found = client.clusters([name]) or client.clusters([PREFIX + name])
        if not found:
            near = did_you_mean(name, [one.name for one in our_clusters(client)]) or ";"
            raise UserError(f"no cluster '{name}'{near} 'mesozoic cloud status' lists what there is")
        cluster = found[0]
    if up and cluster.state != "UP":
        raise UserError(
            f"cluster '{cluster.name}' is {cluster.state}, not UP; wait for it, type 'sky start {cluster.name}' if it"
            f" is STOPPED, or end it with 'mesozoic cloud down {cluster.name}'"
        )
    return cluster


def _only(clusters: list[Cluster]) -> Cluster:
    if not clusters:
        raise UserError("no cluster of this project is there; 'mesozoic cloud launch' rents one")
    if len(clusters) > 1:
        raise UserError(f"there are several clusters; name one of: {', '.join(one.name for one in clusters)}")
    return clusters[0]


def our_managed_jobs(client: CloudClient) -> list[Job]:
    """Managed jobs of this project, newest first."""
    ledger = read_ledger()
    found = [job for job in client.managed_jobs() if is_ours(job.name, ledger)]
    return sorted(found, key=lambda job: job.id, reverse=True)


def find_managed(client: CloudClient, name: str) -> Job | None:
    """The newest managed job of that name; None if the name is not one of a managed job."""
    if not any(line.get("managed") and line["cluster"] in (name, PREFIX + name) for line in read_ledger()):
        return None
    for job in our_managed_jobs(client):
        if job.name in (name, PREFIX + name):
            return job
    return None
