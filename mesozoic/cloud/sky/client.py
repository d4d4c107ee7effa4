"""The few things that renting asks of SkyPilot, as records and one interface.

`sky_client.SkyClient` is the real one; tests put a recorded one in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mesozoic.cloud.offer import Placement
from mesozoic.errors import UserError

JOB_ENDED = ("SUCCEEDED", "FAILED", "FAILED_SETUP", "FAILED_DRIVER", "CANCELLED")
"""States in which a job of a cluster stays."""
MANAGED_ENDED = (*JOB_ENDED, "FAILED_PRECHECKS", "FAILED_NO_RESOURCE", "FAILED_CONTROLLER")
"""States in which a managed job stays."""


class Unreachable(UserError):
    """SkyPilot's server, the cloud or the machine does not answer."""


class SoldOut(UserError):
    """Every offer was sold out or refused; nothing was rented. `reasons`: what each cloud answered, in order."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons) or (message,)


@dataclass(frozen=True)
class Cluster:
    """A cluster that SkyPilot knows. Times are seconds since 1970."""

    name: str
    state: str
    """INIT, UP, STOPPED or AUTOSTOPPING."""
    launched_at: float
    autostop_minutes: int
    """Idle minutes after which it ends itself; negative: never."""
    autodown: bool
    placement: Placement | None
    handle: Any = field(default=None, repr=False, compare=False)
    identity: str = ""
    """Tells it from an earlier or a later cluster of the same name."""


@dataclass(frozen=True)
class Job:
    """A job of a cluster, or a managed job (`managed`). Times are seconds since 1970."""

    id: int
    name: str
    state: str
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    managed: bool = False
    resources: str = ""
    recoveries: int = 0
    pool: str = ""

    @property
    def ended(self) -> bool:
        return self.state in (MANAGED_ENDED if self.managed else JOB_ENDED)


@dataclass(frozen=True)
class Pool:
    """A managed pool: its workers wait for managed jobs until the pool is taken down. `workers`: name and state."""

    name: str
    state: str
    workers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Spent:
    """What SkyPilot's books say about one cluster, also one that is gone. `managed`: launched by a jobs controller."""

    name: str
    launched_at: float
    seconds: float
    dollars: float
    resources: str
    alive: bool
    managed: bool = False


class CloudClient(Protocol):
    """SkyPilot, as seen from here. Every method may raise `UserError`; `Unreachable` when nothing answers."""

    def enabled_clouds(self) -> list[str]:
        """Clouds whose credentials SkyPilot found valid, in lower case."""

    def check(self, clouds: Sequence[str]) -> list[str]:
        """Try the credentials of these clouds now; those that work."""

    def clusters(self, names: Sequence[str] | None = None, refresh: bool = False) -> list[Cluster]:
        """Clusters by name, or all; `refresh` asks the clouds themselves."""

    def start_launch(self, task: Any, name: str, retry: bool, idle_minutes: int) -> str:
        """Ask for a cluster that terminates itself when idle; the id of the request."""

    def finish_launch(self, request: str) -> tuple[int | None, Any]:
        """Stream what happens until the job is submitted; its id, and the cluster's handle.

        Raises:
            SoldOut: no offer could be had.
        """

    def pending(self, name: str, workers: bool = False) -> list[str]:
        """Launches of a cluster, managed job or pool of that name that SkyPilot still works on; their requests.

        Args:
            workers: launches of that pool's workers instead.
        """

    def cancel_request(self, request: str) -> None:
        """Stop a launch that is under way."""

    def placement(self, handle: Any) -> Placement | None: ...

    def execute(self, task: Any, name: str) -> int | None: ...

    def autodown(self, name: str, idle_minutes: int) -> None: ...

    def jobs(self, name: str) -> list[Job]: ...

    def cancel_jobs(self, name: str, ids: Sequence[int] | None) -> None:
        """Cancel jobs by id; None: all of the cluster."""

    def tail(self, name: str, job: int | None, follow: bool, lines: int) -> int:
        """Print a job's output; 0 if the job succeeded (or goes on, when not following)."""

    def stop(self, name: str) -> None: ...

    def down(self, name: str) -> None:
        """Terminate a cluster and wait until the cloud says that it is gone."""

    def spent(self, days: int) -> list[Spent]: ...

    def download(self, cluster: Cluster, source: str, target: Path) -> None:
        """Copy the contents of a folder of the cluster into `target`, from every node that has it."""

    def stores(self, bucket: str) -> list[str]:
        """Kinds of store, GCS or S3, that a bucket of SkyPilot's exists in."""

    def launch_managed(self, task: Any, name: str) -> int: ...

    def managed_jobs(self) -> list[Job]: ...

    def cancel_managed(self, ids: Sequence[int]) -> None: ...

    def tail_managed(self, job: int, follow: bool, lines: int) -> int: ...

    def pools(self) -> list[Pool]: ...

    def apply_pool(self, task: Any, name: str, workers: int) -> None:
        """Make a pool of that many machines."""

    def submit_to_pool(self, task: Any, name: str, pool: str, number: int) -> list[int]:
        """Give a pool that many managed jobs of one name; their ids."""

    def empty_pool(self, name: str) -> None:
        """Ask a pool to have no workers, also none that is being launched; does not wait for their end."""

    def down_pool(self, name: str) -> None:
        """Ask for the end of a pool and its workers; does not wait for it."""
