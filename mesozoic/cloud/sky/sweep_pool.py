"""A sweep on a SkyPilot managed pool: workers that SkyPilot replaces when they are taken away, agents as managed jobs.

The workers of a pool wait for jobs for ever. So this stays until the last agent has ended or the time is over, then
takes the pool down. That bounds the price, since there are never more workers than were asked for. If this is killed,
`mesozoic cloud status` shows the pool and its jobs, and `mesozoic cloud down` ends them.
"""

from __future__ import annotations

import time

from mesozoic.cloud.estimate import IDLE_MINUTES
from mesozoic.cloud.ledger import write_ledger
from mesozoic.cloud.sky.client import CloudClient
from mesozoic.cloud.sky.launch import why
from mesozoic.cloud.sky.provider import SkyProvider, agents_of
from mesozoic.cloud.sky.sweep_agents import Say, SweepResult, begin_for, cancelled, wait_for_agents
from mesozoic.cloud.sky.sweep_plan import RentedSweep, agent_task
from mesozoic.cloud.undo import hand_back, undone_on_failure
from mesozoic.errors import UserError
from mesozoic.sweep.wandb_account import wandb_key
from mesozoic.sweep.wandb_sweep import create_sweep


def launch_pool(client: CloudClient, plan: RentedSweep, say: Say, patience: float) -> SweepResult:
    """Create the sweep and the pool, run the agents to their end, and take the pool down whatever happens.

    Raises:
        UserError: something went wrong; the sentence says whether the pool may be left.
    """
    name, agents = plan.name, agents_of(plan.name)
    if any(pool.name == name for pool in client.pools()):
        raise UserError(f"a pool '{name}' exists already; leave --name out, or type 'mesozoic cloud down {name}'")
    provider = SkyProvider(client)
    sweep = create_sweep(plan.file.config, wandb_key() or "", plan.project, plan.entity)
    begin_for(sweep, "pool", name, plan)
    with undone_on_failure(
        provider, name, say, patience, lambda error: why(plan.offers, error), lambda: cancelled(sweep)
    ):
        say(f"sweep {sweep.path} created: {sweep.url}")
        up = time.time()
        client.apply_pool(plan.task, name, plan.request.nodes)
        write_ledger("up", name)
        begin_for(sweep, "managed job", agents, plan)
        jobs = client.submit_to_pool(agent_task(plan, sweep.path, up), agents, name, plan.agents)
        write_ledger("up", agents)
        say(f"{len(jobs)} agents are submitted as managed jobs {', '.join(map(str, jobs))} of pool {name}")
        say(f"watch: {sweep.url}, mesozoic cloud status, sky jobs logs {jobs[0]}; Ctrl-C takes everything down")
        end = plan.agents_end(up)
        until = None if end is None else end + IDLE_MINUTES * 60  # what is left of the price; they stop meanwhile
        states = wait_for_agents(client.managed_jobs, jobs, sweep, say, until=until)
    hand_back(provider, name, say)
    return SweepResult(name, sweep, tuple(jobs), tuple(job for job in jobs if states[job] != "SUCCEEDED"))
