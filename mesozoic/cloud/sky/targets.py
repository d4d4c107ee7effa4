"""Which cluster or managed job a NAME means; without a NAME, the only one there is."""

from __future__ import annotations

from mesozoic.cloud.ledger import SKY, open_launches, read_ledger
from mesozoic.cloud.names import PREFIX, plain_name
from mesozoic.cloud.sky.client import CloudClient, Cluster, Job
from mesozoic.errors import UserError, did_you_mean


def our_clusters(client: CloudClient) -> list[Cluster]:
    """Clusters that were launched from here, half-made ones too."""
    launches = open_launches(SKY)
    found = client.clusters()
    return [one for one in found if (launch := launches.get(one.name)) and launch.is_this(one.identity)]


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
        plain_name(name)
        found = client.clusters([name]) or client.clusters([PREFIX + name])
        if not found:
            near = did_you_mean(name, [one.name for one in client.clusters()]) or ";"
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


def find_managed(client: CloudClient, name: str) -> Job | None:
    """The newest managed job of that name, with or without our prefix; None if none was launched from here.

    Raises:
        UserError: it is no name.
    """
    names = {plain_name(name), PREFIX + name}
    ours = [line for line in read_ledger() if line["cluster"] in names]
    known = {line["cluster"] for line in ours if line.get("managed") or line.get("kind") == "managed job"}
    if not known:
        return None
    numbers = {line["identity"] for line in ours if line["cluster"] in known and line.get("identity")}
    found = [job for job in client.managed_jobs() if job.name in known and (not numbers or str(job.id) in numbers)]
    return max(found, key=lambda job: job.id, default=None)
