"""A sweep on a SkyPilot managed pool: workers that SkyPilot replaces when they are taken away, agents as managed jobs.

The workers of a pool wait for jobs for ever. So this stays until the last agent has ended, then takes the pool down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mesozoic.cloud.ledger import write_ledger
from mesozoic.cloud.signals import end_by_interrupt, ended_by
from mesozoic.cloud.sky.client import CloudClient
from mesozoic.cloud.sky.sky_client import import_sky, plain_errors
from mesozoic.cloud.sky.sweep_agents import Say, SweepResult, cancelled, wait_for_agents
from mesozoic.cloud.sky.sweep_plan import CLUSTER_FILE, SweepPlan, agent_task
from mesozoic.errors import UserError
from mesozoic.sweep.wandb_key import wandb_key
from mesozoic.sweep.wandb_sweep import create_sweep


class Pools:
    """Managed pools of SkyPilot. Every method may raise `UserError`."""

    def __init__(self) -> None:
        self._sky = import_sky()

    def names(self) -> list[str]:
        from sky import exceptions

        with plain_errors():
            try:
                return [str(one["name"]) for one in self._sky.get(self._sky.jobs.pool_status(None))]
            except exceptions.ClusterNotUpError:
                return []  # no controller, so no pool

    def apply(self, task: Any, name: str, workers: int) -> None:
        from sky.serve import SkyServiceSpec
        from sky.serve.serve_utils import UpdateMode

        with plain_errors():
            task.set_service(SkyServiceSpec.from_yaml_config({"pool": {"workers": workers}}))
            self._sky.stream_and_get(self._sky.jobs.pool_apply(task, name, UpdateMode.ROLLING))

    def submit(self, task: Any, name: str, pool: str, number: int) -> list[int]:
        with plain_errors():
            ids, _ = self._sky.stream_and_get(self._sky.jobs.launch(task, name=name, pool=pool, num_jobs=number))
        return [int(one) for one in (ids if isinstance(ids, list) else [ids])]

    def cancel(self, jobs: Sequence[int]) -> None:
        with plain_errors():
            self._sky.get(self._sky.jobs.cancel(job_ids=list(jobs)))

    def down(self, name: str) -> None:
        with plain_errors():
            self._sky.stream_and_get(self._sky.jobs.pool_down(name))


def launch_pool(
    client: CloudClient, plan: SweepPlan, say: Say, patience: float, pools: Pools | None = None
) -> SweepResult:
    """Create the sweep and the pool, run the agents to their end, and take the pool down whatever happens.

    Raises:
        UserError: something went wrong; the sentence says whether the pool may be left.
    """
    pools = pools or Pools()
    name = plan.name
    if name in pools.names():
        raise UserError(f"a pool '{name}' exists already; leave --name out, or type 'sky jobs pool down {name}'")
    jobs: list[int] = []
    problem: str | None = None
    stopped: BaseException | None = None
    states: dict[int, str] = {}
    with end_by_interrupt():
        sweep = create_sweep(plan.file.config, wandb_key() or "", plan.project, plan.entity)
        say(f"sweep {sweep.path} created: {sweep.url}")
        write_ledger("launch", name, file=str(CLUSTER_FILE), sweep=sweep.path, pool=True)
        try:
            pools.apply(plan.task, name, plan.request.nodes)
            jobs = pools.submit(agent_task(plan, sweep.path), f"{name}-agent", name, plan.agents)
            say(f"{len(jobs)} agents are submitted as managed jobs {', '.join(map(str, jobs))} of pool {name}")
            say(f"watch: {sweep.url}, sky jobs queue, sky jobs logs {jobs[0]}; Ctrl-C takes everything down")
            states = wait_for_agents(client.managed_jobs, jobs, sweep, say)
        except UserError as error:
            problem = str(error)
        except KeyboardInterrupt as interrupt:
            problem, stopped = "interrupted", interrupt
        finally:
            left = not take_down(pools, client, name, [job for job in jobs if job not in states], say, patience)
    failed = tuple(job for job in jobs if states.get(job) != "SUCCEEDED")
    if problem is not None or left:
        ending = (
            f"it could NOT be confirmed that pool {name} is gone; type 'sky jobs pool down {name} -y' when the network"
            " is back, and look at the cloud's own console"
            if left
            else "checked: nothing of it is left running"
        )
        failure = UserError(f"the sweep on pool {name} ended ({problem or 'done'}); {ending}; {cancelled(sweep)}")
        raise failure if stopped is None else ended_by(stopped, failure)
    return SweepResult(name, sweep, tuple(jobs), failed)


def take_down(
    pools: Pools,
    client: CloudClient,
    name: str,
    jobs: Sequence[int],
    say: Say,
    patience: float,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Cancel jobs and take a pool down, trying again for `patience` seconds; whether it and its workers are gone."""
    say(f"taking pool {name} down")
    end = time.monotonic() + patience
    told = False
    while True:
        try:
            if jobs:
                pools.cancel(jobs)
                jobs = []
            if name in pools.names() and not told:
                pools.down(name)
                told = True
            workers = [one.name for one in client.clusters() if one.name.startswith(f"{name}-")]
            if name not in pools.names() and not workers:
                write_ledger("down", name)
                say(f"pool {name} and its workers are gone")
                return True
        except UserError as error:
            say(f"pool {name} is not down yet: {error}")
        except KeyboardInterrupt:
            return False
        if time.monotonic() > end:
            return False
        sleep(min(10.0, patience))
