"""Giving machines back: terminate, wait, then look whether anything of ours is left, and say so either way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mesozoic.cloud.ledger import is_ours, read_ledger, write_ledger
from mesozoic.cloud.sky.client import CloudClient, Cluster
from mesozoic.errors import UserError

Say = Callable[[str], None]
PATIENCE = 600.0
"""Seconds for which giving back is tried again while the network or the cloud does not answer."""
_LONGEST_PAUSE = 60.0


def our_clusters(client: CloudClient, refresh: bool = False) -> list[Cluster]:
    """All clusters of this project, half-made ones too; `refresh` asks the clouds themselves."""
    ledger = read_ledger()
    return [cluster for cluster in client.clusters(refresh=refresh) if is_ours(cluster.name, ledger)]


def give_back(
    client: CloudClient,
    names: Sequence[str],
    say: Say,
    patience: float = PATIENCE,
) -> list[str]:
    """Terminate clusters, trying again until none is left or the patience ends.

    Returns:
        The names of those that could not be confirmed to be gone; empty is good.
    """
    left = list(dict.fromkeys(names))
    deadline = time.monotonic() + patience
    pause = 2.0
    while left:
        for name in list(left):
            try:
                if _terminate(client, name):
                    write_ledger("down", name)
                    left.remove(name)
            except UserError as error:
                say(f"{name} is not down yet: {error}")
        if not left or time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return left


def _terminate(client: CloudClient, name: str) -> bool:
    """Terminate one cluster if it is there; whether it is gone afterwards."""
    if client.clusters([name]):
        client.down(name)
    return not client.clusters([name], refresh=True)


def hand_back(client: CloudClient, name: str, say: Say) -> None:
    """Terminate one cluster, see that it is gone, and say what else of this project is left.

    Raises:
        UserError: it could not be confirmed to be gone.
    """
    if give_back(client, [name], say):
        raise UserError(f"{name} could NOT be confirmed to be down; type 'mesozoic cloud down {name}' again")
    say(f"{name} is down")
    report_left(client, say)


def report_left(client: CloudClient, say: Say) -> list[Cluster]:
    """Ask the clouds for what is left of this project, and say it."""
    left = our_clusters(client, refresh=True)
    if left:
        listing = ", ".join(f"{cluster.name} ({cluster.state})" for cluster in left)
        say(f"still there: {listing}; 'mesozoic cloud down --all' ends them")
    else:
        say("checked with SkyPilot and the clouds: no cluster of this project is left")
    return left


def undo_launch(
    client: CloudClient,
    name: str,
    request: str | None,
    reason: str,
    say: Say,
    patience: float = PATIENCE,
) -> UserError:
    """Leave nothing of a launch that failed or was interrupted; the error to end with says what is known for sure."""
    say(f"the launch of {name} ended early ({reason}); making sure that nothing of it is left running")
    try:
        if request is not None:
            with suppress(UserError):  # it ended by itself, or nobody answers: terminating comes next either way
                client.cancel_request(request)
        left = give_back(client, [name], say, patience)
    except KeyboardInterrupt:  # a second one: the user will not wait
        left = [name]
    if left:
        return UserError(
            f"the launch of {name} failed ({reason}) and it could NOT be confirmed that nothing runs; type"
            f" 'mesozoic cloud down {name}' as soon as the network is back, and look at the cloud's own console"
        )
    return UserError(f"the launch of {name} failed ({reason}); checked: nothing of it is left running")
