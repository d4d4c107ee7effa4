"""Managed jobs and pools of SkyPilot, behind our interface: the half of `SkyClient` that has a controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mesozoic.cloud.sky.client import Job, Pool, Unreachable
from mesozoic.cloud.sky.deadline import CHANGING, LOOKING, within
from mesozoic.cloud.sky.sky_errors import import_sky, one_line, plain_errors


class ManagedClient:
    """Every method may raise `UserError`."""

    def __init__(self) -> None:
        self._sky = import_sky().client.sdk  # `sky.check` may be the module of that name
        self._jobs = import_sky().jobs

    def launch_managed(self, task: Any, name: str) -> int:
        with plain_errors():
            ids, _ = self._sky.stream_and_get(self._jobs.launch(task, name=name))
            return int(ids[0] if isinstance(ids, list) else ids)

    def managed_jobs(self) -> list[Job]:
        found = _of_the_controller("managed jobs", lambda: self._sky.get(self._jobs.queue_v2(refresh=False)))
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
                pool=record.get("pool") or "",
            )
            for record in records
        ]

    def cancel_managed(self, ids: Sequence[int]) -> None:
        with plain_errors():
            within(CHANGING, "cancel", lambda: self._sky.get(self._jobs.cancel(job_ids=list(ids))))

    def tail_managed(self, job: int, follow: bool, lines: int) -> int:
        with plain_errors():
            return int(self._jobs.tail_logs(job_id=job, follow=follow, tail=lines or None) or 0)

    def pools(self) -> list[Pool]:
        records = _of_the_controller("pools", lambda: self._sky.get(self._jobs.pool_status(None)))
        return [
            Pool(
                name=str(record["name"]),
                state=_word(record["status"]),
                workers=tuple((str(one["name"]), _word(one["status"])) for one in record.get("replica_info") or ()),
            )
            for record in records
        ]

    def apply_pool(self, task: Any, name: str, workers: int) -> None:
        with plain_errors():
            from sky.serve import SkyServiceSpec
            from sky.serve.serve_utils import UpdateMode

            task.set_service(SkyServiceSpec.from_yaml_config({"pool": {"workers": workers}}))
            self._sky.stream_and_get(self._jobs.pool_apply(task, name, UpdateMode.ROLLING))

    def submit_to_pool(self, task: Any, name: str, pool: str, number: int) -> list[int]:
        with plain_errors():
            ids, _ = self._sky.stream_and_get(self._jobs.launch(task, name=name, pool=pool, num_jobs=number))
        return [int(one) for one in (ids if isinstance(ids, list) else [ids])]

    def empty_pool(self, name: str) -> None:
        with plain_errors():
            from sky.serve.serve_utils import UpdateMode

            ask = partial(self._jobs.pool_apply, None, name, UpdateMode.ROLLING, workers=0)
            within(CHANGING, "pool without workers", lambda: self._sky.get(ask()))

    def down_pool(self, name: str) -> None:
        with plain_errors():
            within(CHANGING, "pool down", lambda: self._sky.get(self._jobs.pool_down(name)))


def _word(status: Any) -> str:
    return str(getattr(status, "value", status))


def _of_the_controller(what: str, ask: Callable[[], Any]) -> Any:
    """What the jobs controller answers; nothing if there is none, or if it has stopped, which it does when it is idle.

    Raises:
        Unreachable: it is there and does not answer, so that nobody knows what it runs.
    """
    from sky import exceptions
    from sky.utils import status_lib

    def asked() -> Any:
        try:
            return ask()
        except exceptions.ClusterNotUpError as error:
            if error.cluster_status in (None, status_lib.ClusterStatus.STOPPED):
                return []
            raise Unreachable(
                f"SkyPilot's jobs controller is {error.cluster_status.value} and does not tell its {what}"
                f" ({one_line(error)}); try again in a minute"
            ) from None

    with plain_errors():
        return within(LOOKING, what, asked)
