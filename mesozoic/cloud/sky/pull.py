"""Brings a run folder home from a machine, also while it trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mesozoic.cloud.ledger import launched
from mesozoic.cloud.names import check_name
from mesozoic.cloud.pulled import claim
from mesozoic.cloud.sky.client import CloudClient, Cluster
from mesozoic.errors import UserError

REMOTE_RUNS = "~/mesozoic-runs"
"""Where a machine keeps its run folders."""


def pull(
    client: CloudClient, cluster: Cluster, run_name: str | None, output: Path | None, say: Callable[[str], None]
) -> Path:
    """Copy a run folder of the cluster into `runs/<RUN_NAME>`; again copies only what has changed.

    Args:
        run_name: which run; default: the one that the cluster was launched for.
        output: another folder to copy it into.

    Raises:
        UserError: the run is not known or not there, or the folder holds another run.
    """
    name, target = where(cluster, run_name, output)
    source = f"{REMOTE_RUNS}/{name}"
    with claim(target, cluster.name, name, say):
        say(f"copying {source} of {cluster.name} to {target}")
        try:
            client.download(cluster, source, target)
        except UserError as error:
            raise UserError(f"could not copy {source} from {cluster.name} ({error})") from None
    return target


def where(cluster: Cluster, run_name: str | None, output: Path | None) -> tuple[str, Path]:
    """Name of the run that would be copied, and the folder that it would be copied into.

    Raises:
        UserError: the run is not known.
    """
    name = run_name or launched(cluster.name).get("run_name")
    if not name:
        raise UserError(
            f"'{cluster.name}' was not launched from here, so its run is not known; type for example"
            f" 'mesozoic cloud pull {cluster.name} --run velociraptor-stageall-seed0'"
        )
    return check_name(name, "--run"), output or Path("runs") / name
