"""What a rented sweep would be: the sweep file, the machine, its price. Creates, rents and asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesozoic.cloud.estimate import IDLE_MINUTES, OVERHEAD_HOURS, SETUP_MINUTES
from mesozoic.cloud.names import check_name, unique_name
from mesozoic.cloud.offer import Offer
from mesozoic.cloud.request import Gpus, LaunchRequest, parse_gpus, parse_infra, positive
from mesozoic.cloud.secrets import refuse_secrets
from mesozoic.cloud.sky.client import Cluster
from mesozoic.cloud.sky.launch import SHOWN
from mesozoic.cloud.sky.offers import find_offers, narrow
from mesozoic.cloud.sky.preflight import Preflight, clouds_to_plan
from mesozoic.cloud.sky.task import find_checkout, load_task, settings_of, task_for
from mesozoic.errors import UserError
from mesozoic.job.environment import read_hours
from mesozoic.redact import without_password
from mesozoic.sim.physics import WARP
from mesozoic.sweep.wandb_account import project_and_entity, server, wandb_key
from mesozoic.sweep.wandb_file import SweepFile, read_sweep
from mesozoic.sweep.wandb_format import SHIPPED

SWEEP_FILE = Path(SHIPPED)
CLUSTER_FILE = Path("cloud/sweep-cluster.yaml")
AGENT_FILE = Path("cloud/sweep-agent.yaml")
OURS = ("SWEEP_ID", "SLOTS", "UNTIL")
"""Settings of agents that only a launch knows."""
MOST_AGENTS = 256
"""A typing error such as A100:88 should not rent a hall of machines."""


@dataclass(frozen=True)
class RentedSweepRequest:
    """All options of `mesozoic cloud sweep`.

    Attributes:
        gpus: `A100:8`, `A100` (one) or `CPU:4` (four agents without a GPU), on each machine.
        sweep_file: default: configs/sweeps/velociraptor_balance.yaml of the checkout.
        any_command: also one that runs something else than `mesozoic sweep trial` or `mesozoic train`.
        nodes: machines of that size; pool: as a SkyPilot managed pool instead of one cluster.
        project, entity: of W&B; default: the sweep file's, then those of W&B's own settings.
        max_hourly_cost: dollars per hour for all machines; max_cost: dollars in all, set-up and idling included.
        max_hours: all agents end themselves after that.
        env: settings of cloud/sweep-agent.yaml.
        wait: until all agents ended; pull: then copy the run folders to `pull`/sweep-ID; down: then terminate.
    """

    gpus: str = "A100"
    infra: str | None = None
    sweep_file: Path | None = None
    any_command: bool = False
    nodes: int = 1
    pool: bool = False
    spot: bool = False
    project: str | None = None
    entity: str | None = None
    name: str | None = None
    max_hourly_cost: float | None = None
    max_cost: float | None = None
    max_hours: float | None = None
    retry_until_up: bool = False
    env: tuple[tuple[str, str], ...] = ()
    wait: bool = False
    pull: Path | None = None
    down: bool = False
    dry_run: bool = False
    yes: bool = False


@dataclass(frozen=True)
class RentedSweep:
    """A request that was checked, with what it can be met with.

    Attributes:
        max_hours: that of the request, of `--env` or of the agents' file; missing: clouds without credentials.
    """

    request: RentedSweepRequest
    name: str
    file: SweepFile
    project: str
    entity: str | None
    gpus: Gpus
    task: Any = field(repr=False)
    offers: list[Offer]
    missing: list[Preflight]
    max_hours: float | None = None

    @property
    def agents(self) -> int:
        return self.gpus.count * self.request.nodes

    def lines(self) -> list[str]:
        """The plan for a person: what, at which price, how long, how much."""
        what = "pool" if self.request.pool else "cluster"
        whose = f"{self.entity}/{self.project}" if self.entity else self.project
        place = "core" if self.gpus.is_cpu else self.gpus.name
        runs = "" if self.file.runs is None else f", {self.file.runs} runs at most"
        lines = [
            f"sweep {self.file.path} ({self.file.config['method']}, {self.file.metric}{runs})"
            f" in {whose} at {without_password(server())}",
            f"  every run: {self.file.command}",
            f"{what} {self.name}: {_count(self.agents, 'agent')}, one for each {place}",
        ]
        shown: list[str] = []
        for offer in self.offers:
            line = f"${offer.price:.2f}/h  {offer.placement}"
            if line not in shown:
                shown.append(line)
        lines += [f"  {number}. {line}" for number, line in enumerate(shown[:SHOWN], 1)]
        if len(shown) > SHOWN:
            lines.append(f"  and {len(shown) - SHOWN} more")
        lines.append(f"  {self._total()}")
        if self.request.pool:
            lines.append("  beside it SkyPilot's jobs controller runs, a small machine that is paid for as well")
            lines.append("  the pool is taken down by this command, once all agents ended; let it run")
        else:
            lines.append(f"  terminates itself after {IDLE_MINUTES} idle minutes; what is on its disk is lost then")
        return lines + [f"  not without credentials: {one.cloud} ({one.found}; {one.fix})" for one in self.missing]

    def _total(self) -> str:
        first, hours = self.offers[0], self.max_hours
        if first.placement.cloud == "slurm":
            return "total: nothing is rented, the machines are your own"
        if hours is None:
            return f"total: unknown; ${first.price:.2f} for every hour until the sweep ends, or give --max-hours"
        paid = hours + OVERHEAD_HOURS
        dearest = max(offer.price for offer in self.offers)
        more = f", ${dearest * paid:.2f} on the dearest" if dearest > first.price else ""
        what = _count(self.request.nodes, "worker" if self.request.pool else "machine")
        text = f"${first.price * paid:.2f}{more} ({what}, {hours:g} h of agents, and setting up and idling)"
        return f"total: at most about {text}" + (", as long as this command runs" if self.request.pool else "")

    def agents_end(self, up: float) -> float | None:
        """When all agents end at the latest, whenever each of them began; None without a limit.

        Args:
            up: when the machines were there, seconds since 1970 like the answer.
        """
        return None if self.max_hours is None else up + 60 * SETUP_MINUTES + 3600 * self.max_hours


def plan_rented_sweep(request: RentedSweepRequest) -> RentedSweep:
    """Check everything about a sweep that can be checked without creating or renting anything.

    Raises:
        UserError: the first thing that is wrong.
    """
    checkout = find_checkout()
    gpus = parse_gpus(request.gpus)
    if request.nodes < 1:
        raise UserError(f"--nodes {request.nodes} is below 1; give the number of machines")
    if gpus.count * request.nodes > MOST_AGENTS:
        raise UserError(f"{gpus.count * request.nodes} agents are more than {MOST_AGENTS}; ask for fewer GPUs or nodes")
    if (request.pull or request.down) and not request.wait:
        raise UserError("--pull and --down come after the last agent; add --wait")
    if request.pool and request.pull:
        raise UserError(
            "the workers of a pool come and go, so nothing can be pulled; leave --pull out, or mount a bucket in"
            f" {CLUSTER_FILE} and give its place with --env RESULTS=..."
        )
    if request.pull and request.pull.exists() and not request.pull.is_dir():
        raise UserError(f"--pull {request.pull} is no folder; give another")
    envs = dict(request.env)
    refuse_secrets(envs)
    for name in OURS:
        if name in envs:
            raise UserError(f"--env {name} is what this command says to its agents; leave it out")
    limit = positive(request.max_hours, "--max-hours")
    if limit is None:
        limit = read_hours({**settings_of(AGENT_FILE), **envs}.get("MAX_HOURS", "").strip())
    file = read_sweep(request.sweep_file or checkout / SWEEP_FILE, request.any_command, gpus.has_gpu)
    if file.physics == WARP and not gpus.has_gpu:
        raise UserError(
            f"{file.path.name}: physics '{WARP}' simulates on an NVIDIA GPU, and '{gpus}' is none; ask for example for"
            " A100:1, or write --physics=native into its command"
        )
    if file.runs is None and limit is None:
        raise UserError(f"{file.path.name} never ends; add for example run_cap: 24 to it, or give --max-hours 8")
    own_project, own_entity = project_and_entity()
    project = request.project or file.config.get("project") or own_project
    entity = request.entity or file.config.get("entity") or own_entity
    if not request.dry_run and wandb_key() is None:
        raise UserError("a sweep lives on a W&B server and there is no key for it; type 'wandb login'")
    machine = LaunchRequest(
        file=CLUSTER_FILE,
        gpus=gpus,
        infra=() if request.infra is None else (parse_infra(request.infra),),
        spot=request.spot,
        retry=request.retry_until_up,
        max_hourly_cost=positive(request.max_hourly_cost, "--max-hourly-cost"),
        max_cost=positive(request.max_cost, "--max-cost"),
        max_hours=limit,
        name=check_name(request.name or unique_name("sweep"), "--name"),
    )
    load_task(AGENT_FILE, dict(request.env))  # refuses settings that it does not have
    task, offers, missing = _machines(machine, request)
    return RentedSweep(request, machine.name, file, str(project), entity, gpus, task, offers, missing, limit)


def _machines(machine: LaunchRequest, request: RentedSweepRequest) -> tuple[Any, list[Offer], list[Preflight]]:
    """The task that brings them up, what could be rented for it, and the clouds that are left out."""
    clouds, missing = clouds_to_plan(machine.infra, request.dry_run)
    task = task_for(machine)
    if machine.gpus is not None and not machine.gpus.is_cpu:
        _cores_for_each_agent(task, machine.gpus.count)
    task.num_nodes = request.nodes
    offers = find_offers(task, clouds)
    if request.pool:
        task.num_nodes = 1  # of each worker
    return task, narrow(task, offers, clouds, machine), missing


def _cores_for_each_agent(task: Any, agents: int) -> None:
    """Ask for `agents` times the cores that the file asks for one: physics runs there, whatever the GPU."""
    from mesozoic.cloud.sky.sky_errors import plain_errors

    with plain_errors():
        found = [
            one.copy(cpus=f"{agents * float(one.cpus.rstrip('+')):g}+") if one.cpus else one for one in task.resources
        ]
        task.set_resources(type(task.resources)(found))


def agent_task(plan: RentedSweep, sweep_path: str, up: float, cluster: Cluster | None = None) -> Any:
    """The task of one agent: one of the machine's GPUs, or none on a machine that was asked for without.

    Args:
        up: when the machines were there, seconds since 1970.
    """
    from mesozoic.cloud.sky.sky_errors import import_sky, plain_errors

    hours, until = plan.max_hours, plan.agents_end(up)
    limits = {} if hours is None or until is None else {"MAX_HOURS": f"{hours:g}", "UNTIL": f"{until:.0f}"}
    own = {"SWEEP_ID": sweep_path, "SLOTS": str(plan.gpus.count), **limits}
    task = load_task(AGENT_FILE, {**dict(plan.request.env), **own})
    resources = getattr(cluster.handle, "launched_resources", None) if cluster is not None else None
    names: Sequence[str] = list((resources.accelerators if resources is not None else None) or {})
    name = names[0] if names else plan.gpus.name
    with plain_errors():
        share = None if resources is None else _share_of_a_slurm_node(resources, plan.gpus.count)
        task.set_resources(import_sky().Resources(accelerators=None if plan.gpus.is_cpu else {name: 1}, cpus=share))
    return task


def _share_of_a_slurm_node(resources: Any, agents: int) -> str | None:
    """Cores of one agent on Slurm, where a job takes all cores of the cluster unless it says how many; else None."""
    if str(resources.cloud).lower() != "slurm":
        return None
    cores, _ = resources.cloud.get_vcpus_mem_from_instance_type(resources.instance_type)
    return None if cores is None else str(max(1, int(cores) // agents))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
