"""SkyPilot behind our interface: the only module that imports it, and the one that turns its errors into sentences."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mesozoic.cloud.offer import Placement
from mesozoic.cloud.sky.client import Cluster, Job, SoldOut, Spent, Unreachable
from mesozoic.errors import UserError

INSTALL = 'pip install -c constraints.txt -e ".[cloud]"'
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LONGEST = 400


def import_sky() -> Any:
    """The module `sky`, with its telemetry off.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
    try:
        import sky
    except ModuleNotFoundError as error:
        if error.name != "sky":
            raise
        raise UserError(f"SkyPilot is not installed; in the checkout, type: {INSTALL}") from None
    return sky


def one_line(error: object) -> str:
    """An error as one line without colours and without secrets, cut to a readable length."""
    from mesozoic.sweep.wandb_key import wandb_key

    text = " ".join(_COLOUR.sub("", str(error)).split()) or type(error).__name__
    key = wandb_key()
    if key:
        text = text.replace(key, "***")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def translate(error: BaseException) -> UserError:
    """What an error of SkyPilot means to the user."""
    from sky import exceptions

    text = one_line(error)
    if isinstance(error, UserError):
        return error
    if isinstance(error, exceptions.ResourcesUnavailableError):
        reasons = [one_line(one) for one in error.failover_history]
        return SoldOut(reasons[-1] if reasons else text)
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"ApiServerConnectionError", "ConnectionError", "RequestException", "HTTPError", "NetworkError"}:
        return Unreachable(f"SkyPilot does not answer ({text}); check the network and 'sky api status', then try again")
    if isinstance(error, exceptions.ClusterDoesNotExist):
        return UserError(f"{text.rstrip('.')}; 'mesozoic cloud status' lists what there is")
    if isinstance(error, exceptions.NoCloudAccessError):
        return UserError("no cloud is set up for SkyPilot; 'mesozoic cloud check' says what to type for each")
    return UserError(f"SkyPilot: {text}")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn whatever SkyPilot raises inside into a `UserError` of one sentence."""
    try:
        yield
    except (UserError, KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        raise UserError(f"SkyPilot gave up ({one_line(error)}); the lines above say why") from None
    except Exception as error:
        raise translate(error) from error


def describe(resources: Any, nodes: int = 1) -> Placement:
    """A `sky.Resources` with cloud and instance type, as a record."""
    accelerators = resources.accelerators or {}
    gpu = ", ".join(f"{name}:{count:g}" for name, count in accelerators.items())
    try:
        price = float(resources.get_cost(3600)) * nodes
    except Exception:  # a catalog without this instance type: unknown, not zero
        price = None
    cloud = str(resources.cloud).lower()
    return Placement(
        cloud, resources.region or "", resources.instance_type or "", gpu, resources.use_spot, nodes, price
    )


def keep_private() -> None:
    """Close `~/.sky` to other users: SkyPilot's server keeps the requests it gets there, secrets and all."""
    folder = Path.home() / ".sky"
    with suppress(OSError):  # somebody else's folder, or a disk that is read-only
        folder.mkdir(mode=0o700, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077:
            folder.chmod(mode & ~0o077)


class SkyClient:
    """The real `CloudClient`. Its first call starts SkyPilot's API server if none runs."""

    def __init__(self) -> None:
        keep_private()
        self._sky = import_sky().client.sdk  # `sky.check` may be the module of that name
        self._jobs = import_sky().jobs

    def enabled_clouds(self) -> list[str]:
        with plain_errors():
            return [str(cloud).lower() for cloud in self._sky.get(self._sky.enabled_clouds())]

    def check(self, clouds: Sequence[str]) -> list[str]:
        with plain_errors():
            result = self._sky.get(self._sky.check(tuple(clouds), verbose=False))
        found = [cloud for workspace in result.values() for cloud in workspace]
        return [str(cloud).lower() for cloud in found]

    def clusters(self, names: Sequence[str] | None = None, refresh: bool = False) -> list[Cluster]:
        with plain_errors():
            modes = import_sky().StatusRefreshMode
            chosen = None if names is None else list(names)
            request = self._sky.status(chosen, refresh=modes.FORCE if refresh else modes.AUTO)
            return [self._cluster(record) for record in self._sky.get(request)]

    def _cluster(self, record: Any) -> Cluster:
        handle = record["handle"]
        return Cluster(
            name=record["name"],
            state=record["status"].value,
            launched_at=float(record["launched_at"] or 0),
            autostop_minutes=int(record["autostop"]),
            autodown=bool(record["to_down"]),
            placement=self.placement(handle),
            handle=handle,
        )

    def placement(self, handle: Any) -> Placement | None:
        resources = getattr(handle, "launched_resources", None)
        if resources is None or resources.cloud is None:
            return None
        return describe(resources, handle.launched_nodes or 1)

    def start_launch(self, task: Any, name: str, retry: bool, idle_minutes: int) -> str:
        with plain_errors():
            return str(
                self._sky.launch(
                    task,
                    cluster_name=name,
                    retry_until_up=retry,
                    idle_minutes_to_autostop=idle_minutes,
                    down=True,
                )
            )

    def finish_launch(self, request: str) -> tuple[int | None, Any]:
        with plain_errors():
            job, handle = self._sky.stream_and_get(request)
            return job, handle

    def cancel_request(self, request: str) -> None:
        with plain_errors():
            self._sky.get(self._sky.api_cancel([request], silent=True))

    def execute(self, task: Any, name: str) -> int | None:
        with plain_errors():
            job, _ = self._sky.stream_and_get(self._sky.exec(task, cluster_name=name))
            return None if job is None else int(job)

    def autodown(self, name: str, idle_minutes: int) -> None:
        with plain_errors():
            self._sky.get(self._sky.autostop(name, idle_minutes, down=True))

    def jobs(self, name: str) -> list[Job]:
        with plain_errors():
            records = self._sky.get(self._sky.queue(name))
        return [
            Job(
                id=int(record["job_id"]),
                name=record["job_name"],
                state=record["status"].value,
                submitted_at=float(record["submitted_at"] or 0),
                started_at=record["start_at"],
                ended_at=record["end_at"],
                resources=record["resources"],
            )
            for record in records
        ]

    def cancel_jobs(self, name: str, ids: Sequence[int] | None) -> None:
        with plain_errors():
            chosen = None if ids is None else list(ids)
            self._sky.get(self._sky.cancel(name, all=ids is None, job_ids=chosen))

    def tail(self, name: str, job: int | None, follow: bool, lines: int) -> int:
        with plain_errors():
            return int(self._sky.tail_logs(name, job, follow, lines) or 0)

    def stop(self, name: str) -> None:
        with plain_errors():
            self._sky.get(self._sky.stop(name))

    def down(self, name: str) -> None:
        with plain_errors():
            self._sky.get(self._sky.down(name))

    def spent(self, days: int) -> list[Spent]:
        with plain_errors():
            records = self._sky.get(self._sky.cost_report(days))
        return [
            Spent(
                name=record["name"],
                launched_at=float(record["launched_at"] or 0),
                seconds=float(record["duration"] or 0),
                dollars=float(record["total_cost"] or 0),
                resources=str(record.get("resources_str") or record.get("resources") or ""),
                alive=record.get("status") is not None,
            )
            for record in records
        ]

    def download(self, cluster: Cluster, source: str, target: Path) -> None:
        """Over the connections that SkyPilot itself uses, so that it works wherever SkyPilot does, Slurm included."""
        with plain_errors():
            nodes = cluster.handle.get_command_runners()
            if len(nodes) > 1:  # an agent of a sweep may have had no run on one of them
                nodes = [node for node in nodes if node.run(f"test -d {source}", stream_logs=False) == 0] or nodes[:1]
            for node in nodes:
                node.rsync(f"{source}/", f"{target}/", up=False, stream_logs=False, max_retry=3)

    def stores(self, bucket: str) -> list[str]:
        with plain_errors():
            records = self._sky.get(self._sky.storage_ls())
        return [str(kind.value) for record in records if record["name"] == bucket for kind in record["store"]]

    def launch_managed(self, task: Any, name: str) -> int:
        with plain_errors():
            ids, _ = self._sky.stream_and_get(self._jobs.launch(task, name=name))
            return int(ids[0] if isinstance(ids, list) else ids)

    def managed_jobs(self) -> list[Job]:
        from sky import exceptions

        with plain_errors():
            try:
                found = self._sky.get(self._jobs.queue_v2(refresh=False))
            except exceptions.ClusterNotUpError:
                return []  # no jobs controller, so no managed jobs
        records = found[0] if isinstance(found, tuple) else found
        return [
            Job(
                id=int(record["job_id"]),
                name=record["job_name"] or "",
                state=record["status"].value,
                submitted_at=float(record["submitted_at"] or 0),
                started_at=record.get("start_at"),
                ended_at=record.get("end_at"),
                managed=True,
                resources=record.get("cluster_resources") or record.get("resources") or "",
                recoveries=int(record.get("recovery_count") or 0),
            )
            for record in records
        ]

    def cancel_managed(self, ids: Sequence[int]) -> None:
        with plain_errors():
            self._sky.get(self._jobs.cancel(job_ids=list(ids)))

    def tail_managed(self, job: int, follow: bool, lines: int) -> int:
        with plain_errors():
            return int(self._jobs.tail_logs(job_id=job, follow=follow, tail=lines or None) or 0)
