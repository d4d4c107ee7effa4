"""A W&B sweep on rented machines: creates it, brings them up, starts the agents, and undoes all that if it fails.

Read `launch_sweep` first; `sweep_plan.py` is what comes before it, `agent.py` what runs on the machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mesozoic.cloud.estimate import IDLE_MINUTES
from mesozoic.cloud.signals import ended_by
from mesozoic.cloud.sky.client import CloudClient
from mesozoic.cloud.sky.finish import follow
from mesozoic.cloud.sky.launch import bring_up, check_access, refuse_existing, why
from mesozoic.cloud.sky.provider import SkyProvider
from mesozoic.cloud.sky.pull import pull
from mesozoic.cloud.sky.quota import refuse_without_quota
from mesozoic.cloud.sky.sweep_agents import Say, SweepResult, begin_for, cancelled, wait_for_agents
from mesozoic.cloud.sky.sweep_plan import RentedSweep, RentedSweepRequest, agent_task, plan_rented_sweep
from mesozoic.cloud.sky.targets import find_cluster
from mesozoic.cloud.undo import PATIENCE, hand_back, undone_on_failure
from mesozoic.errors import UserError
from mesozoic.sweep.wandb_account import wandb_key
from mesozoic.sweep.wandb_sweep import Sweep, create_sweep

__all__ = ["RentedSweepRequest", "SweepResult", "launch_sweep"]

Confirm = Callable[[str], bool]


def launch_sweep(
    request: RentedSweepRequest,
    say: Say = print,
    confirm: Confirm | None = None,
    client: CloudClient | None = None,
    patience: float = PATIENCE,
) -> SweepResult:
    """Do what `mesozoic cloud sweep` says: show, ask, create, rent, start the agents; then wait, if asked to.

    Args:
        confirm: asked before anything is created, unless `request.yes`; without it the answer is no.
        client: SkyPilot; default: the real one.
        patience: seconds for which taking down is tried again.

    Raises:
        UserError: something was wrong, or went wrong; then whatever was made is taken down again, and the sentence
            says whether anything may be left.
    """
    plan = plan_rented_sweep(request)
    for line in plan.lines():
        say(line)
    if request.dry_run:
        say("dry run: no sweep was created and nothing was rented")
        return SweepResult()
    if not request.yes and (confirm is None or not confirm("create the sweep and rent this?")):
        raise UserError("nothing was created or rented; answer yes, or give --yes")
    if client is None:
        from mesozoic.cloud.sky.sky_client import SkyClient

        client = SkyClient()
    check_access(client, plan.offers)
    if request.pool or request.retry_until_up:
        refuse_without_quota(plan.offers)
    if request.pool:
        from mesozoic.cloud.sky.sweep_pool import launch_pool

        return launch_pool(client, plan, say, patience)
    refuse_existing(client, plan.name)
    key = wandb_key() or ""
    sweep = create_sweep(plan.file.config, key, plan.project, plan.entity)
    jobs = _bring_up(client, plan, sweep, say, patience)
    say_how_to_go_on(plan.name, sweep, jobs, say)
    if not request.wait:
        return SweepResult(plan.name, sweep, jobs)
    return SweepResult(plan.name, sweep, jobs, _finish(client, plan, sweep, jobs, say))


def _bring_up(client: CloudClient, plan: RentedSweep, sweep: Sweep, say: Say, patience: float) -> tuple[int, ...]:
    """The machines, set up, and their agents; the numbers of the agents' jobs. Undone as a whole if a part fails."""
    name, offers = plan.name, plan.offers
    begin_for(sweep, "cluster", name, plan)
    provider = SkyProvider(client)
    with undone_on_failure(provider, name, say, patience, lambda error: why(offers, error), lambda: cancelled(sweep)):
        say(f"sweep {sweep.path} created: {sweep.url}")
        setup, _ = bring_up(client, plan.task, name, plan.request.retry_until_up, offers, say)
        up = time.time()
        if setup is not None and follow(client, name, setup, say) != "SUCCEEDED":
            raise UserError("the machine could not be set up; the lines above say why")
        task = agent_task(plan, sweep.path, up, find_cluster(client, name))
        jobs: list[int] = []
        while len(jobs) < plan.agents:
            job = client.execute(task, name)
            if job is None:
                raise UserError("SkyPilot submitted no job for an agent")
            jobs.append(job)
        return tuple(jobs)


def say_how_to_go_on(name: str, sweep: Sweep, jobs: Sequence[int], say: Say) -> None:
    """How to watch, get the results and give the machines back."""
    say(f"{len(jobs)} agents are submitted as jobs {', '.join(map(str, jobs))} of {name}")
    say(f"watch:     {sweep.url}")
    say(f"           mesozoic cloud queue {name}, mesozoic cloud logs {name} --job {jobs[0]}")
    say(f"results:   mesozoic cloud pull {name}   (within {IDLE_MINUTES} min of the last agent's end)")
    say(f"give back: mesozoic cloud down {name}   (it ends itself {IDLE_MINUTES} min after the last agent)")


def _finish(client: CloudClient, plan: RentedSweep, sweep: Sweep, jobs: Sequence[int], say: Say) -> tuple[int, ...]:
    """Wait for the agents, pull and give back as asked; the agents that failed."""
    name = plan.name
    try:
        states = wait_for_agents(lambda: client.jobs(name), jobs, sweep, say)
    except KeyboardInterrupt as interrupt:
        problem = UserError(
            f"no longer waiting, but the sweep goes on; type 'mesozoic cloud down {name}' to end its machines"
        )
        raise ended_by(interrupt, problem) from None
    failed = tuple(job for job in jobs if states[job] != "SUCCEEDED")
    how = ", ".join(f"{job} ({states[job]})" for job in failed)
    say(
        f"agents that failed: {how}; see 'mesozoic cloud logs {name} --job {failed[0]}'"
        if failed
        else "all agents ended well"
    )
    if plan.request.pull is not None:
        try:
            run = f"sweep-{sweep.id}"
            folder = pull(client, find_cluster(client, name), run, plan.request.pull / run, say)
            say(f"run folders are in {folder}, one for each run of {sweep.url}")
        except UserError as error:
            if not failed:
                raise
            say(str(error))  # agents that failed at once have nothing to bring home
    if plan.request.down:
        hand_back(SkyProvider(client), name, say)
    return failed
