"""SkyPilot's side of our interface, as it was seen to behave: clusters come up, jobs end, networks break on demand;
answers come late or never, are wrong, or say that something was done that was not."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

from mesozoic.cloud.ledger import begin
from mesozoic.cloud.offer import Placement
from mesozoic.cloud.sky.client import Cluster, Job, Pool, SoldOut, Spent, Unreachable
from mesozoic.errors import UserError

A10 = Placement("lambda", "us-east-1", "gpu_1x_a10", "A10:1", False, 1, 0.75)
A100 = Placement("lambda", "us-east-1", "gpu_1x_a100_sxm4", "A100:1", False, 1, 1.29)


@dataclass
class Request:
    """Something that the server has taken on. It shows, and begins, after `late` looks at anything."""

    id: str
    name: str
    late: int
    begin: Callable[[], None]
    begun: bool = False


class FakeSky:
    """Remembers what was asked of it in `calls`.

    Attributes:
        there: clusters that exist, half-made ones too.
        pooled: managed pools that exist.
        requests: launches that the server works on.
        launching: what happens inside a launch; may raise.
        network: False makes every call fail.
        late: looks until a request that was accepted shows anywhere.
        lost: calls that are accepted, and whose answer never comes.
        deaf: calls that answer well and do nothing.
        silent: calls that fail, because nobody answers.
        blind: how many of the next listings are empty, whatever there is.
        limit: idle minutes that a new cluster ends itself after; None: as asked for.
        run: what is on the machine's disk, by run name; None: nothing.
        escaping: workers whose machine comes up, unlisted, if their pool is taken down while they are in it.
    """

    def __init__(self) -> None:
        self.there: dict[str, Cluster] = {}
        self.pooled: dict[str, Pool] = {}
        self.requests: list[Request] = []
        self.queue: dict[str, list[Job]] = {}
        self.managed: list[Job] = []
        self.books: list[Spent] = []
        self.buckets: dict[str, list[str]] = {}
        self.enabled = ["lambda", "gcp", "aws"]
        self.placed = A10
        self.launching: Callable[[str], None] = lambda name: None
        self.downing: Callable[[str], None] = lambda name: None
        self.job_states: list[str] = ["SUCCEEDED"]
        self.network = True
        self.late = 0
        self.lost: set[str] = set()
        self.deaf: set[str] = set()
        self.silent: set[str] = set()
        self.blind = 0
        self.limit: int | None = None
        self.escaping: set[str] = set()
        self.files: dict[str, bytes] | None = {"stage1/models/stage1_final.zip": b"policy"}
        self.calls: list[str] = []
        self.tasks: list[Any] = []
        self._numbers = itertools.count(1)
        self._made = itertools.count(1)

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if not self.network or what in self.silent:
            raise Unreachable("SkyPilot does not answer (connection refused); check the network")

    def _time_goes_by(self) -> None:
        for request in self.requests:
            if request.late > 0:
                request.late -= 1
            elif not request.begun:
                request.begun = True
                request.begin()

    def _looked(self, what: str) -> bool:
        """A listing; False if it shows nothing, whatever there is."""
        self._called(what)
        self._time_goes_by()
        if self.blind:
            self.blind -= 1
            return False
        return True

    def _accept(self, call: str, name: str, begin: Callable[[], None]) -> str:
        """Take on a request; its answer may be lost."""
        request = Request(f"request-{name}", name, self.late, begin)
        self.requests.append(request)
        if not request.late:
            request.begun = True
            begin()
        if call in self.lost:
            raise Unreachable("SkyPilot does not answer (read timed out); check the network")
        return request.id

    def _done(self, name: str) -> None:
        self.requests = [one for one in self.requests if one.name != name]

    def cluster(self, name: str, state: str = "UP", placement: Placement | None = None, **more: Any) -> Cluster:
        """Put a cluster there."""
        before = self.there.get(name)
        parts: dict[str, Any] = {
            "launched_at": time.time(),
            "autostop_minutes": 5,
            "identity": before.identity if before else f"hash-{next(self._made)}",
        }
        made = Cluster(name, state, autodown=True, placement=placement or self.placed, **{**parts, **more})
        self.there[name] = made
        return made

    def ours(self, name: str, state: str = "UP", **more: Any) -> Cluster:
        """Put a cluster there that was launched from here."""
        begin("cluster", name, run_name=name.removeprefix("mesozoic-"))
        return self.cluster(name, state, **more)

    def enabled_clouds(self) -> list[str]:
        self._called("enabled_clouds")
        return self.enabled

    def check(self, clouds: Sequence[str]) -> list[str]:
        self._called(f"check {' '.join(clouds)}")
        return [cloud for cloud in clouds if cloud in self.enabled]

    def clusters(self, names: Sequence[str] | None = None, refresh: bool = False) -> list[Cluster]:
        if not self._looked("clusters" + " refresh" * refresh):
            return []
        # SkyPilot takes names for patterns.
        return [one for one in self.there.values() if names is None or any(fnmatch(one.name, name) for name in names)]

    def start_launch(self, task: Any, name: str, retry: bool, idle_minutes: int) -> str:
        self._called(f"launch {name} idle={idle_minutes}" + " retry" * retry)
        self.tasks.append(task)
        return self._accept("launch", name, lambda: self._begin_cluster(name))

    def _begin_cluster(self, name: str) -> None:
        self.cluster(name, "INIT")

    def finish_launch(self, request: str) -> tuple[int | None, Any]:
        name = request.removeprefix("request-")
        self._called(f"finish {name}")
        self.launching(name)
        self.cluster(name)
        if self.limit is not None:
            self.there[name] = replace(self.there[name], autostop_minutes=self.limit)
        self._done(name)
        return self._submit(name), None

    def _submit(self, name: str) -> int:
        number = next(self._numbers)
        self.queue.setdefault(name, []).append(Job(number, "mesozoic-train", "RUNNING", 1000.0, 1010.0, None))
        return number

    def pending(self, name: str, workers: bool = False) -> list[str]:
        self._called(f"pending {name}" + " workers" * workers)
        self._time_goes_by()
        wanted = {f"{name}-{number}" for number in range(1, 10)} if workers else {name}
        return [one.id for one in self.requests if one.name in wanted and one.begun]

    def cancel_request(self, request: str) -> None:
        self._called(f"cancel {request}")
        if "cancel" not in self.deaf:
            self.requests = [one for one in self.requests if one.id != request]

    def placement(self, handle: Any) -> Placement | None:
        return self.placed

    def execute(self, task: Any, name: str) -> int | None:
        self._called(f"execute {name}")
        self.tasks.append(task)
        return self._submit(name)

    def autodown(self, name: str, idle_minutes: int) -> None:
        self._called(f"autodown {name} {idle_minutes}")
        self.there[name] = replace(self.there[name], autostop_minutes=idle_minutes)

    def jobs(self, name: str) -> list[Job]:
        self._called(f"jobs {name}")
        return self.queue.get(name, [])

    def cancel_jobs(self, name: str, ids: Sequence[int] | None) -> None:
        self._called(f"cancel_jobs {name} {'all' if ids is None else list(ids)}")

    def tail(self, name: str, job: int | None, follow: bool, lines: int) -> int:
        self._called(f"tail {name} {job}")
        state = self.job_states.pop(0) if len(self.job_states) > 1 else self.job_states[0]
        if state == "GONE":
            self.there.pop(name)
        self.queue[name] = [replace(one, state=state, ended_at=2000.0) for one in self.queue.get(name, [])]
        return 0 if state == "SUCCEEDED" else 100

    def stop(self, name: str) -> None:
        self._called(f"stop {name}")

    def down(self, name: str) -> None:
        self._called(f"down {name}")
        self.downing(name)
        if "down" not in self.deaf:
            self.there.pop(name, None)
            self.books = [replace(one, alive=False) if one.name == name else one for one in self.books]

    def spent(self, days: int) -> list[Spent]:
        self._called(f"spent {days}")
        return self.books

    def download(self, cluster: Cluster, source: str, target: Path) -> None:
        self._called(f"download {cluster.name} {source}")
        if self.files is None:
            raise UserError("SkyPilot: rsync: change_dir failed: No such file or directory")
        for name, content in self.files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)

    def stores(self, bucket: str) -> list[str]:
        self._called(f"stores {bucket}")
        return self.buckets.get(bucket, [])

    def launch_managed(self, task: Any, name: str) -> int:
        self._called(f"launch_managed {name}")
        self.tasks.append(task)
        self._accept("launch_managed", name, lambda: self._begin_jobs(name, 1))
        self._done(name)
        return self.managed[-1].id

    def _begin_jobs(self, name: str, number: int, pool: str = "") -> None:
        for _ in range(number):
            job = Job(next(self._numbers), name, "PENDING", time.time(), None, None, managed=True, pool=pool)
            self.managed.append(job)

    def managed_jobs(self) -> list[Job]:
        return list(self.managed) if self._looked("managed_jobs") else []

    def cancel_managed(self, ids: Sequence[int]) -> None:
        self._called(f"cancel_managed {list(ids)}")
        if "cancel_managed" not in self.deaf:
            self.managed = [replace(one, state="CANCELLED") if one.id in ids else one for one in self.managed]

    def pools(self) -> list[Pool]:
        return list(self.pooled.values()) if self._looked("pools") else []

    def apply_pool(self, task: Any, name: str, workers: int) -> None:
        self._called(f"apply_pool {name} {workers}")
        self.tasks.append(task)
        made = Pool(name, "READY", tuple((f"{name}-{number}", "READY") for number in range(1, workers + 1)))
        self._accept("apply_pool", name, lambda: self.pooled.update({name: made}))
        self.launching(name)
        self._done(name)

    def submit_to_pool(self, task: Any, name: str, pool: str, number: int) -> list[int]:
        self._called(f"submit {number} {name} to {pool}")
        self.tasks.append(task)
        self._accept("submit", name, lambda: self._begin_jobs(name, number, pool))
        self._done(name)
        return [job.id for job in self.managed if job.name == name]

    def empty_pool(self, name: str) -> None:
        self._called(f"empty_pool {name}")
        if "empty_pool" not in self.deaf:
            self.pooled[name] = replace(self.pooled[name], workers=())

    def down_pool(self, name: str) -> None:
        self._called(f"down_pool {name}")
        if any(job.pool == name and not job.ended for job in self.managed):
            raise UserError(f"SkyPilot: pool {name} has jobs that run")
        if "down_pool" not in self.deaf:
            pool = self.pooled.pop(name, None)
            for worker, _ in pool.workers if pool else ():
                if worker in self.escaping:
                    self._accept("escape", worker, partial(self._escape, worker))

    def _escape(self, worker: str) -> None:
        self._done(worker)
        self.books.append(Spent(worker, time.time(), 0.0, 0.0, "1x A10", alive=True, managed=True))

    def tail_managed(self, job: int, follow: bool, lines: int) -> int:
        self._called(f"tail_managed {job}")
        return 0


def sold_out(name: str) -> None:
    raise SoldOut("Failed to acquire resources in all zones in us-east-1")


def interrupted(name: str) -> None:
    raise KeyboardInterrupt
