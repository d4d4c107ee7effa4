"""Stopping a machine without losing its disk, and why that is often not possible."""

from __future__ import annotations

from mesozoic.cloud.sky.client import CloudClient, Cluster
from mesozoic.errors import UserError

_CANNOT = {
    "lambda": "Lambda cannot stop an instance, only terminate it",
    "slurm": "a Slurm job cannot be stopped and continued, only ended",
}


def refuse_if_impossible(cluster: Cluster) -> None:
    """Say beforehand what SkyPilot would only say afterwards.

    Raises:
        UserError: this kind of machine cannot be stopped.
    """
    placement = cluster.placement
    if placement is None:
        return
    reason = _CANNOT.get(placement.cloud)
    if reason is None and placement.spot and placement.cloud != "gcp":
        reason = f"{placement.cloud} cannot stop spot machines"
    if reason:
        raise UserError(
            f"{reason}; type 'mesozoic cloud pull {cluster.name}', then 'mesozoic cloud down {cluster.name}'"
        )


def stop(client: CloudClient, cluster: Cluster) -> None:
    """Stop a cluster; its disk stays, and is still paid for.

    Raises:
        UserError: it cannot be stopped.
    """
    refuse_if_impossible(cluster)
    client.stop(cluster.name)
