"""SkyPilot as a provider: everything that was launched through it, and how each kind of thing is ended for sure."""

from __future__ import annotations

from mesozoic.cloud.ledger import SKY, Launch, open_launches, was_ours, write_ledger
from mesozoic.cloud.patience import Patience
from mesozoic.cloud.providers import Bill, Rented
from mesozoic.cloud.sky.client import CloudClient
from mesozoic.cloud.sky.inventory import Inventory, jobs_of, take_inventory
from mesozoic.cloud.sky.pools import PoolEnd
from mesozoic.cloud.sky.status import beside, describe_all
from mesozoic.errors import UserError

SURE = 2
"""Looks in a row that must find nothing before something counts as gone: one answer may be wrong."""
SURE_UNANSWERED = 5
"""The same for a request whose answer was lost: SkyPilot may have taken it and not begun yet."""
BETWEEN = 5.0
"""Seconds between two of these looks."""
ENDING = 600.0
"""Seconds after which the end of something counts as not confirmed."""


class SkyProvider:
    """Everything of this project that was launched through SkyPilot."""

    called = "SkyPilot and the clouds"
    rents = "cluster, managed job or pool"

    def __init__(self, client: CloudClient, ending: float = ENDING) -> None:
        self.client = client
        self._ending = ending
        self._found = Inventory()

    def ours(self, refresh: bool = False) -> list[Rented]:
        self._found = take_inventory(self.client, refresh)
        return describe_all(self.client, self._found)

    def beside(self) -> list[str]:
        return beside(self._found)

    def bills(self, days: int) -> list[Bill]:
        books = [one for one in self.client.spent(days) if was_ours(one.name, one.launched_at)]
        return [
            Bill(one.name, one.launched_at, one.seconds, one.dollars, one.resources, one.alive)
            for one in sorted(books, key=lambda entry: entry.launched_at)
        ]

    def end(self, name: str) -> None:
        launch = open_launches(SKY).get(name)
        if launch is None:
            raise UserError(f"'{name}' was not launched from here; 'mesozoic cloud status' lists what was")
        time = Patience(self._ending, first=BETWEEN, longest=BETWEEN)
        wanted = SURE if launch.seen or launch.request else SURE_UNANSWERED
        pool = PoolEnd(self.client, name) if launch.kind == "pool" else None
        quiet = 0
        while True:
            quiet = 0 if self._end_once(launch, pool) else quiet + 1
            if quiet >= wanted:
                for ended in {name, agents_of(name)} if pool else {name}:
                    write_ledger("down", ended)
                return
            if not time.wait():
                raise UserError(f"still there after {time.used / 60:.0f} min of ending it")

    def _end_once(self, launch: Launch, pool: PoolEnd | None) -> bool:
        """Tell everything of a launch to end; False if there is nothing of it, not even a request."""
        names = [launch.name, agents_of(launch.name)] if pool else [launch.name]
        requests = dict.fromkeys(request for name in names for request in self.client.pending(name))
        for request in requests:
            self.client.cancel_request(request)
        if pool:
            # The jobs of a pool end first: it does not end while they run.
            agents = open_launches(SKY).get(agents_of(launch.name))
            busy = agents is not None and self._end_jobs(agents)
            return pool.step() or busy or bool(requests)
        there = self._end_cluster(launch) if launch.kind == "cluster" else self._end_jobs(launch)
        return there or bool(requests)

    def _end_cluster(self, launch: Launch) -> bool:
        """Down with the cluster of that name, unless it is a later one that somebody else gave the name to."""
        for refresh in (False, True):  # the cloud is asked only about what SkyPilot no longer lists
            for cluster in self.client.clusters([launch.name], refresh=refresh):
                if launch.is_this(cluster.identity):
                    self.client.down(launch.name)
                    return True
        return False

    def _end_jobs(self, launch: Launch) -> bool:
        alive = [job.id for job in jobs_of(launch, self.client.managed_jobs()) if not job.ended]
        if alive:
            self.client.cancel_managed(alive)
        return bool(alive)


def agents_of(pool: str) -> str:
    """Name of the managed jobs that a pool was made for."""
    return f"{pool}-agent"
