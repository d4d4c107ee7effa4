"""Ending a managed pool so that none of its machines is left, also none that is still being launched.

SkyPilot (0.14) forgets a worker that has no machine yet when its pool is taken down, and a launch of that worker that
waits or is being tried again goes on: a machine comes up that no list of pools or clusters shows. So a pool that
launches workers is told first to have none, which stops the launches and takes two minutes for each machine that is
there. Then it is taken down. Afterwards SkyPilot's requests and its books are asked for workers all the same: they
show them where the jobs controller is SkyPilot's own server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesozoic.cloud.sky.client import CloudClient, Pool
from mesozoic.errors import UserError

EMPTYING = 36
"""Looks, seconds apart, at a pool's workers while they end; then the pool is taken down all the same."""
LAUNCHING = ("PENDING", "PROVISIONING")
"""States of a worker that may have no machine yet."""
LEFT_BEHIND = "WORKERS_LEFT"
"""State of a pool that SkyPilot does not list any more and of which it still has workers."""
BOOKS = 30
"""Days that the books are asked for; what is alive is in them whenever it began."""


def is_worker(pool: str, cluster: str) -> bool:
    """Whether a cluster of a jobs controller has the name that SkyPilot gives a worker of the pool."""
    return re.fullmatch(rf"{re.escape(pool)}-\d+", cluster) is not None


def look_for_pools(client: CloudClient, names: Sequence[str]) -> list[Pool]:
    """What there is of pools of these names, also workers that stayed behind one that is gone.

    Raises:
        UserError: SkyPilot does not answer.
    """
    found = [one for one in client.pools() if one.name in names]
    gone = [name for name in names if all(one.name != name for one in found)]
    alive = [one.name for one in client.spent(BOOKS) if one.alive and one.managed] if gone else []
    for name in gone:
        if workers := tuple((one, "alive") for one in alive if is_worker(name, one)):
            found.append(Pool(name, LEFT_BEHIND, workers))
    return found


class PoolEnd:
    """The end of one pool, step by step."""

    def __init__(self, client: CloudClient, name: str) -> None:
        self._client, self._name = client, name
        self._looks: int | None = None

    def step(self) -> bool:
        """Do what is next; False if there is nothing of the pool.

        Raises:
            UserError: SkyPilot does not answer, or says that it could not end the workers.
        """
        launches = self._client.pending(self._name, workers=True)
        for request in launches:
            self._client.cancel_request(request)
        there = look_for_pools(self._client, [self._name])
        for pool in there:
            self._end(pool)
        return bool(there or launches)

    def _end(self, pool: Pool) -> None:
        workers = [worker for worker, _ in pool.workers]
        if pool.state == LEFT_BEHIND:
            for worker in workers:
                self._client.down(worker)
        elif pool.state == "FAILED_CLEANUP":
            listing = ", ".join(workers)
            raise UserError(f"SkyPilot could not end the pool's workers ({listing}); look at the cloud's console")
        elif pool.state != "SHUTTING_DOWN" and not (workers and self._emptying(pool)):
            self._client.down_pool(self._name)

    def _emptying(self, pool: Pool) -> bool:
        """Whether its workers are still to be waited for."""
        if self._looks is None and all(state not in LAUNCHING for _, state in pool.workers):
            return False
        if self._looks is None:
            self._looks = EMPTYING
            try:
                self._client.empty_pool(self._name)
            except UserError:
                # Its controller has failed or has not begun: the pool can only be taken down, and what stays behind it
                # is looked for afterwards.
                self._looks = 0
        self._looks -= 1
        return self._looks >= 0
