"""SkyPilot behind our interface: clusters and their jobs, each call with a time limit and errors of one sentence."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from mesozoic.cloud.offer import Placement
from mesozoic.cloud.sky.client import Cluster, Job, Spent
from mesozoic.cloud.sky.deadline import CHANGING, LOOKING, within
from mesozoic.cloud.sky.managed_client import ManagedClient
from mesozoic.cloud.sky.pools import is_worker
from mesozoic.cloud.sky.sky_errors import import_sky, plain_errors

_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


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


@contextmanager
def plain_path(folder: Path) -> Iterator[Path]:
    """Another path to a folder, one that means the same in a shell: SkyPilot hands it to one as it is."""
    where = gettempdir()
    with TemporaryDirectory(prefix="mesozoic-pull-", dir=where if _PLAIN.fullmatch(where) else "/tmp") as at:
        link = Path(at) / "target"
        link.symlink_to(folder.resolve(), target_is_directory=True)
        yield link


def _launches(request: Any, name: str, workers: bool = False) -> bool:
    """Whether a request of SkyPilot's server makes a cluster, managed job or pool of that name, or a worker of it."""
    what = str(request.name).removeprefix("sky.")
    body = str(request.request_body or "").replace("\\", "")
    if workers:
        by_controller = re.search(r'"is_launched_by_sky_serve_controller": ?true', body) is not None
        return what == "launch" and by_controller and is_worker(name, str(request.cluster_name))
    if what in ("jobs.launch", "jobs.pool_apply"):
        return f'"{name}"' in body
    return what in ("launch", "start") and request.cluster_name == name


class SkyClient(ManagedClient):
    """The real `CloudClient`. Its first call starts SkyPilot's API server if none runs."""

    def __init__(self) -> None:
        keep_private()
        super().__init__()

    def _asked(self, what: str, request: Callable[[], Any], seconds: float = LOOKING) -> Any:
        """The answer to one of SkyPilot's requests."""
        with plain_errors():
            return within(seconds, what, lambda: self._sky.get(request()))

    def enabled_clouds(self) -> list[str]:
        found = self._asked("enabled clouds", lambda: self._sky.enabled_clouds())
        return [str(cloud).lower() for cloud in found]

    def check(self, clouds: Sequence[str]) -> list[str]:
        result = self._asked("check", lambda: self._sky.check(tuple(clouds), verbose=False))
        found = [cloud for workspace in result.values() for cloud in workspace]
        return [str(cloud).lower() for cloud in found]

    def clusters(self, names: Sequence[str] | None = None, refresh: bool = False) -> list[Cluster]:
        modes = import_sky().StatusRefreshMode
        mode = modes.FORCE if refresh else modes.AUTO
        chosen = None if names is None else list(names)
        records = self._asked("status", lambda: self._sky.status(chosen, refresh=mode))
        # SkyPilot takes names for patterns.
        return [self._cluster(record) for record in records if chosen is None or record["name"] in chosen]

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
            identity=str(record.get("cluster_hash") or ""),
        )

    def placement(self, handle: Any) -> Placement | None:
        resources = getattr(handle, "launched_resources", None)
        if resources is None or resources.cloud is None:
            return None
        return describe(resources, handle.launched_nodes or 1)

    def start_launch(self, task: Any, name: str, retry: bool, idle_minutes: int) -> str:
        with plain_errors():
            ask = partial(
                self._sky.launch,
                task,
                cluster_name=name,
                retry_until_up=retry,
                idle_minutes_to_autostop=idle_minutes,
                down=True,
            )
            return str(within(CHANGING, "launch", ask))

    def finish_launch(self, request: str) -> tuple[int | None, Any]:
        with plain_errors():
            job, handle = self._sky.stream_and_get(request)
            return job, handle

    def pending(self, name: str, workers: bool = False) -> list[str]:
        with plain_errors():
            requests = within(LOOKING, "requests", self._sky.api_status)
        return [str(one.request_id) for one in requests if _launches(one, name, workers)]

    def cancel_request(self, request: str) -> None:
        self._asked("cancel", lambda: self._sky.api_cancel([request], silent=True), CHANGING)

    def execute(self, task: Any, name: str) -> int | None:
        with plain_errors():
            job, _ = self._sky.stream_and_get(self._sky.exec(task, cluster_name=name))
            return None if job is None else int(job)

    def autodown(self, name: str, idle_minutes: int) -> None:
        self._asked("autostop", lambda: self._sky.autostop(name, idle_minutes, down=True), CHANGING)

    def jobs(self, name: str) -> list[Job]:
        records = self._asked("queue", lambda: self._sky.queue(name))
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
        chosen = None if ids is None else list(ids)
        self._asked("cancel", lambda: self._sky.cancel(name, all=ids is None, job_ids=chosen), CHANGING)

    def tail(self, name: str, job: int | None, follow: bool, lines: int) -> int:
        with plain_errors():
            return int(self._sky.tail_logs(name, job, follow, lines) or 0)

    def stop(self, name: str) -> None:
        self._asked("stop", lambda: self._sky.stop(name), CHANGING)

    def down(self, name: str) -> None:
        self._asked("down", lambda: self._sky.down(name), CHANGING)

    def spent(self, days: int) -> list[Spent]:
        records = self._asked("cost report", lambda: self._sky.cost_report(days))
        return [
            Spent(
                name=record["name"],
                launched_at=float(record["launched_at"] or 0),
                seconds=float(record["duration"] or 0),
                dollars=float(record["total_cost"] or 0),
                resources=str(record.get("resources_str") or record.get("resources") or ""),
                alive=record.get("status") is not None,
                managed=bool(record.get("is_managed")),
            )
            for record in records
        ]

    def download(self, cluster: Cluster, source: str, target: Path) -> None:
        """Over the connections that SkyPilot itself uses, so that it works wherever SkyPilot does, Slurm included."""
        with plain_errors(), plain_path(target) as folder:
            nodes = cluster.handle.get_command_runners()
            if len(nodes) > 1:  # an agent of a sweep may have had no run on one of them
                nodes = [node for node in nodes if node.run(f"test -d {source}", stream_logs=False) == 0] or nodes[:1]
            for node in nodes:
                node.rsync(f"{source}/", f"{folder}/", up=False, stream_logs=False, max_retry=3)

    def stores(self, bucket: str) -> list[str]:
        records = self._asked("buckets", lambda: self._sky.storage_ls())
        return [str(kind.value) for record in records if record["name"] == bucket for kind in record["store"]]
