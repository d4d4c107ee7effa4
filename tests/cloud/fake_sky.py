"""SkyPilot's side of our interface, as it was seen to behave: clusters come up, jobs end, networks break on demand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesozoic.cloud.offer import Placement
from mesozoic.cloud.sky.client import Cluster, Job, SoldOut, Spent, Unreachable
from mesozoic.errors import UserError

A10 = Placement("lambda", "us-east-1", "gpu_1x_a10", "A10:1", False, 1, 0.75)
A100 = Placement("lambda", "us-east-1", "gpu_1x_a100_sxm4", "A100:1", False, 1, 1.29)


class FakeSky:
    """Remembers what was asked of it in `calls`.

    Attributes:
        there: clusters that exist, half-made ones too.
        launching: what happens inside a launch; may raise.
        network: False makes every call fail.
        run: what is on the machine's disk, by run name; None: nothing.
    """

    def __init__(self) -> None:
        self.there: dict[str, Cluster] = {}
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
        self.files: dict[str, bytes] | None = {"stage1/models/stage1_final.zip": b"policy"}
        self.calls: list[str] = []
        self.tasks: list[Any] = []
        self._numbers = itertools.count(1)

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if not self.network:
            raise Unreachable("SkyPilot does not answer (connection refused); check the network")

    def cluster(self, name: str, state: str = "UP", placement: Placement | None = None, **more: Any) -> Cluster:
        """Put a cluster there."""
        made = Cluster(name, state, 1000.0, 5, True, placement or self.placed, **more)
        self.there[name] = made
        return made

    def enabled_clouds(self) -> list[str]:
        self._called("enabled_clouds")
        return self.enabled

    def check(self, clouds: Sequence[str]) -> list[str]:
        self._called(f"check {' '.join(clouds)}")
        return [cloud for cloud in clouds if cloud in self.enabled]

    def clusters(self, names: Sequence[str] | None = None, refresh: bool = False) -> list[Cluster]:
        self._called("clusters" + " refresh" * refresh)
        return [one for one in self.there.values() if names is None or one.name in names]

    def start_launch(self, task: Any, name: str, retry: bool, idle_minutes: int) -> str:
        self._called(f"launch {name} idle={idle_minutes}" + " retry" * retry)
        self.tasks.append(task)
        self.cluster(name, "INIT")
        return f"request-{name}"

    def finish_launch(self, request: str) -> tuple[int | None, Any]:
        name = request.removeprefix("request-")
        self._called(f"finish {name}")
        self.launching(name)
        self.cluster(name)
        return self._submit(name), None

    def _submit(self, name: str) -> int:
        number = next(self._numbers)
        self.queue.setdefault(name, []).append(Job(number, "mesozoic-train", "RUNNING", 1000.0, 1010.0, None))
        return number

    def cancel_request(self, request: str) -> None:
        self._called(f"cancel {request}")

    def placement(self, handle: Any) -> Placement | None:
        return self.placed

    def execute(self, task: Any, name: str) -> int | None:
        self._called(f"execute {name}")
        self.tasks.append(task)
        return self._submit(name)

    def autodown(self, name: str, idle_minutes: int) -> None:
        self._called(f"autodown {name} {idle_minutes}")

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
        self.there.pop(name, None)

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
        number = next(self._numbers)
        self.managed.append(Job(number, name, "PENDING", 1000.0, None, None, managed=True))
        return number

    def managed_jobs(self) -> list[Job]:
        self._called("managed_jobs")
        return self.managed

    def cancel_managed(self, ids: Sequence[int]) -> None:
        self._called(f"cancel_managed {list(ids)}")
        self.managed = [replace(one, state="CANCELLED") if one.id in ids else one for one in self.managed]

    def tail_managed(self, job: int, follow: bool, lines: int) -> int:
        self._called(f"tail_managed {job}")
        return 0


def sold_out(name: str) -> None:
    raise SoldOut("Failed to acquire resources in all zones in us-east-1")


def interrupted(name: str) -> None:
    raise KeyboardInterrupt
