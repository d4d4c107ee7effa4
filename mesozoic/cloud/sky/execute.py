"""Runs the local code again on a cluster that is up, without setting it up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesozoic.cloud.estimate import IDLE_MINUTES
from mesozoic.cloud.ledger import launched, read_ledger, write_ledger
from mesozoic.cloud.request import TASK_FILE, LaunchRequest
from mesozoic.cloud.sky.client import CloudClient, Cluster
from mesozoic.cloud.sky.launch import Submitted, read_request
from mesozoic.cloud.sky.task import check_machines, settings_of, task_on
from mesozoic.errors import UserError
from mesozoic.run.spec import DEFAULT_SPECIES


@dataclass(frozen=True)
class Again:
    """A job for a cluster that is there."""

    cluster: Cluster
    request: LaunchRequest
    task: Any = field(repr=False)


def plan_again(
    cluster: Cluster,
    envs: Mapping[str, str],
    species: str | None,
    stage: str | None,
    physics: str | None,
    max_hours: float | None,
    file: Path | None,
) -> Again:
    """The job that the cluster was launched for, with changes on top.

    Another species or stage is another run, with a run folder of its own; the same ones go on where the last stopped.

    Raises:
        UserError: the changes make no valid training.
    """
    last = launched(cluster.name)
    last_file = Path(last["file"]) if last.get("file") else None
    before: dict[str, str] = {str(name): str(value) for name, value in (last.get("envs") or {}).items()}
    if file is not None and file != last_file:
        before = {}  # another task file brings settings of its own
    envs = {**envs, "PHYSICS": physics} if physics else envs
    changed = {"SPECIES": species, "STAGE": stage, **envs}
    if "RUN_NAME" not in envs and any(value and value != before.get(name) for name, value in changed.items()):
        before.pop("RUN_NAME", None)
    chosen = {**before, **envs}
    task_file = file or last_file
    if "RUN_NAME" not in chosen:
        known = {**settings_of(task_file or TASK_FILE), **chosen}
        stem = f"{species or known.get('SPECIES') or DEFAULT_SPECIES}-{stage or known.get('STAGE') or 'all'}"
        chosen["RUN_NAME"] = f"{stem}-{cluster.name.rpartition('-')[2]}-{_number(cluster)}"
    request = read_request(
        chosen,
        species=species,
        stage=stage,
        gpu=None if cluster.placement is None else cluster.placement.has_gpu,
        name=cluster.name,
        file=task_file,
        max_hours=max_hours,
    )
    if cluster.placement is not None:
        request.trainings.there(cluster.placement)  # has the GPUs that are named
    task = task_on(cluster, request.task_file, request.envs)
    check_machines(task, request.task_file)
    return Again(cluster, request, task)


def _number(cluster: Cluster) -> int:
    told = ("launch", "exec")
    return 1 + sum(line["cluster"] == cluster.name and line.get("event") in told for line in read_ledger())


def run_again(client: CloudClient, again: Again) -> Submitted:
    """Submit the job, and make sure that the cluster still ends itself.

    Raises:
        UserError: it could not be submitted.
    """
    name, request = again.cluster.name, again.request
    try:
        job = client.execute(again.task, name)
    except UserError:
        if any(cluster.state == "UP" for cluster in client.clusters([name], refresh=True)):
            raise
        raise UserError(f"'{name}' has ended itself meanwhile; type 'mesozoic cloud launch' for a new one") from None
    client.autodown(name, IDLE_MINUTES)
    write_ledger(
        "exec",
        name,
        file=str(request.task_file),
        envs={key: value for key, value in request.envs.items() if value},
        run_name=request.run_name,
        managed=False,
        max_hours=request.max_hours,
        price=again.cluster.placement.price if again.cluster.placement else None,
    )
    if job is None:
        raise UserError(f"SkyPilot submitted no job to '{name}'; see 'mesozoic cloud queue {name}'")
    return Submitted(name, job, again.cluster.placement)
