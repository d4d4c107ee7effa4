"""What of this project is there: the ledger's launches beside what SkyPilot lists. Ends nothing, notes what it saw."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesozoic.cloud.ledger import CLOCKS_DIFFER, SKY, Kind, Launch, open_launches, write_ledger
from mesozoic.cloud.names import PREFIX
from mesozoic.cloud.sky.client import CloudClient, Cluster, Job, Pool, Spent
from mesozoic.cloud.sky.pools import look_for_pools
from mesozoic.errors import UserError

CONTROLLERS = ("sky-jobs-controller-", "sky-serve-controller-")
RECENT = 7 * 24 * 3600.0
"""Seconds after its launch in which it is news that something is gone."""
LOOK_AGAIN = 5.0
"""Seconds before a second look at what SkyPilot no longer lists."""


@dataclass(frozen=True)
class Inventory:
    """One look at everything.

    Attributes:
        jobs: managed jobs that have not ended.
        unseen: asked for from here, and SkyPilot lists nothing of the name yet.
        gone: were there at the last look; ended by themselves or by somebody else since.
        strangers: clusters with our prefix that were not launched from here.
        controllers: machines of SkyPilot's own, beside managed jobs and pools.
        unanswered: why managed jobs or pools could not be listed.
    """

    clusters: tuple[Cluster, ...] = ()
    jobs: tuple[Job, ...] = ()
    pools: tuple[Pool, ...] = ()
    unseen: tuple[Launch, ...] = ()
    gone: tuple[Launch, ...] = ()
    strangers: tuple[Cluster, ...] = ()
    controllers: tuple[Cluster, ...] = ()
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Lists:
    """What SkyPilot lists; managed jobs and pools only where something of the kind was launched. `unanswered`: why some
    of it is not known, by kind."""

    clusters: Sequence[Cluster]
    jobs: Sequence[Job]
    pools: Sequence[Pool]
    unanswered: Mapping[Kind, str]

    def of(self, launch: Launch) -> tuple[Cluster | Job | Pool, ...]:
        """What there is of a launch, jobs that have ended too."""
        if launch.kind == "pool":
            return tuple(one for one in self.pools if one.name == launch.name)
        if launch.kind == "managed job":
            return jobs_of(launch, self.jobs)
        return tuple(one for one in self.clusters if one.name == launch.name and launch.is_this(one.identity))

    def lost(self, launch: Launch) -> bool:
        """Whether it was there before and is not listed, by a list that should have it."""
        return launch.seen and not launch.gone and launch.kind not in self.unanswered and not self.of(launch)


def jobs_of(launch: Launch, jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Managed jobs that a launch made: of its name, and none that somebody gave the same name before or later."""
    since = launch.time - CLOCKS_DIFFER
    found = [job for job in jobs if job.name == launch.name and (job.submitted_at or since) >= since]
    return tuple(job for job in found if launch.is_this(str(job.id)))


def take_inventory(client: CloudClient, refresh: bool = False) -> Inventory:
    """Look at everything that may be ours; twice at what is no longer listed, because one answer may be wrong.

    Args:
        refresh: ask the clouds themselves.

    Raises:
        UserError: SkyPilot does not answer.
    """
    launches = open_launches(SKY)
    lists = _look(client, launches, refresh)
    if any(lists.lost(one) for one in launches.values()):
        time.sleep(LOOK_AGAIN)
        lists = _look(client, launches, refresh=True)
    alive = {name: _alive(lists.of(launch)) for name, launch in launches.items()}
    there = {name: found for name, found in alive.items() if found}
    missing = [launch for name, launch in launches.items() if name not in there]
    ended = _ended(client, lists, missing)
    _note(launches, there, ended)
    things = [thing for found in there.values() for thing in found]
    ours = {one.name for one in things if isinstance(one, Cluster)}
    return Inventory(
        clusters=tuple(one for one in lists.clusters if one.name in ours),
        jobs=tuple(sorted((one for one in things if isinstance(one, Job)), key=lambda job: -job.id)),
        pools=tuple(one for one in things if isinstance(one, Pool)),
        unseen=tuple(one for one in missing if one not in ended),
        gone=tuple(one for one in ended if not one.gone and one.time > time.time() - RECENT),
        strangers=tuple(one for one in lists.clusters if one.name.startswith(PREFIX) and one.name not in ours),
        controllers=tuple(one for one in lists.clusters if one.name.startswith(CONTROLLERS)),
        unanswered=tuple(dict.fromkeys(lists.unanswered.values())),
    )


def _look(client: CloudClient, launches: Mapping[str, Launch], refresh: bool) -> _Lists:
    kinds = {one.kind for one in launches.values() if not one.gone}
    unanswered: dict[Kind, str] = {}
    jobs: Sequence[Job] = []
    pools: Sequence[Pool] = []
    # Without their controller the clusters are to be seen all the same.
    try:
        jobs = client.managed_jobs() if kinds & {"managed job", "pool"} else []
    except UserError as error:
        unanswered["managed job"] = str(error)
    try:
        names = [one.name for one in launches.values() if one.kind == "pool"]
        pools = look_for_pools(client, names) if "pool" in kinds else []
    except UserError as error:
        unanswered["pool"] = str(error)
    return _Lists(client.clusters(refresh=refresh), jobs, pools, unanswered)


def _alive(things: Sequence[Cluster | Job | Pool]) -> tuple[Cluster | Job | Pool, ...]:
    return tuple(one for one in things if not (isinstance(one, Job) and one.ended))


def _ended(client: CloudClient, lists: _Lists, missing: Sequence[Launch]) -> list[Launch]:
    """Those of the missing ones that were there and are not any more."""
    missing = [one for one in missing if one.kind not in lists.unanswered]
    unsure = [one for one in missing if not one.seen and not lists.of(one)]
    books = _books(client) if any(one.kind == "cluster" for one in unsure) else []
    return [one for one in missing if one not in unsure or _in_the_books(one, books)]


def _books(client: CloudClient) -> list[Spent]:
    try:
        return client.spent(30)
    except UserError:
        return []  # then it counts as not seen yet


def _in_the_books(launch: Launch, books: Sequence[Spent]) -> bool:
    """Whether SkyPilot remembers that this cluster was there and has ended."""
    since = launch.time - CLOCKS_DIFFER
    return any(one.name == launch.name and not one.alive and one.launched_at >= since for one in books)


def _note(
    launches: Mapping[str, Launch],
    there: Mapping[str, tuple[Cluster | Job | Pool, ...]],
    ended: Sequence[Launch],
) -> None:
    for name, things in there.items():
        launch, first = launches[name], things[0]
        identity = first.identity if isinstance(first, Cluster) else ""
        if isinstance(first, Job) and not first.pool:  # a pool has several of one name
            identity = str(first.id)
        if not launch.seen or launch.gone or (identity and not launch.identity):
            write_ledger("seen", name, identity=identity)
    for launch in ended:
        if not launch.gone:
            write_ledger("gone", launch.name)
