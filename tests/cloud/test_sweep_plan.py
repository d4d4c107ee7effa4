"""What a rented sweep would be is checked, shown and priced before anything is made; real optimizer, real prices."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from rented_sweep import request
from support.wandb_server import WandbServer

from mesozoic.cloud.sky.client import Cluster
from mesozoic.cloud.sky.sweep_plan import agent_task, plan_rented_sweep
from mesozoic.errors import UserError
from mesozoic.species import load_stage

pytestmark = pytest.mark.skipif(find_spec("sky") is None, reason="needs the extra [cloud]")  # conftest imports it


def test_the_plan(server: WandbServer) -> None:
    plan = plan_rented_sweep(request(max_hours=2))
    assert (plan.agents, plan.gpus.name, plan.project) == (8, "A100", "mesozoic")
    text = "\n".join(plan.lines())
    assert "every run: ${env} mesozoic sweep trial velociraptor --stage=1" in text and "00 ${args}\n" in text
    assert "24 runs at most" in text and server.url in text
    assert "cluster mesozoic-sweep-1: 8 agents, one for each A100" in text
    assert "1. $16.00/h  lambda gpu_8x_a100 (A100:8) in us-east-1" in text
    assert "total: at most about $36.00" in text  # 2 h of agents and a quarter of an hour around them
    assert {(one.autostop_config.idle_minutes, one.autostop_config.down) for one in plan.task.resources} == {(5, True)}


def test_a_pool_has_a_limit_while_somebody_ends_it(server: WandbServer) -> None:
    """Its workers are replaced when they are taken away, but there are never more of them than were asked for."""
    text = "\n".join(plan_rented_sweep(request(max_hours=2, pool=True, nodes=2)).lines())
    assert "total: at most about $72.00 (2 workers, 2 h of agents, and setting up and idling), as long as" in text
    assert "the pool is taken down by this command" in text


@pytest.mark.parametrize("pool", [False, True])
def test_a_sweep_costs_no_more_than_was_allowed(server: WandbServer, pool: bool) -> None:
    """Machines x hours x price, with setting up and idling, for all machines and all agents together."""
    with pytest.raises(UserError, match=r"--max-cost 40 is below every offer; .* about \$72.00 in all"):
        plan_rented_sweep(request(max_hours=2, max_cost=40, nodes=2, pool=pool))
    kept = plan_rented_sweep(request(gpus="A100:1", max_hours=2, max_cost=72, nodes=2, pool=pool))
    assert kept.offers and all(offer.price * 2.25 <= 72 for offer in kept.offers)
    with pytest.raises(UserError, match="--max-cost needs --max-hours"):
        plan_rented_sweep(request(max_cost=40, pool=pool))
    with pytest.raises(UserError, match="--max-cost -1 is not above 0"):
        plan_rented_sweep(request(max_cost=-1, max_hours=2))


def test_all_agents_end_at_one_time_whenever_they_begin(server: WandbServer) -> None:
    """An agent that had to wait, or that began again on another machine, has no hours of its own."""
    task = agent_task(plan_rented_sweep(request(max_hours=2)), "e/p/s", 1e9)
    assert (task.envs["MAX_HOURS"], task.envs["UNTIL"]) == ("2", str(10**9 + 600 + 7200))
    task = agent_task(plan_rented_sweep(request()), "e/p/s", 1e9)
    assert (task.envs["MAX_HOURS"], task.envs["UNTIL"]) == ("", "")


def test_the_option_wins_over_env_and_env_counts_as_a_limit(server: WandbServer) -> None:
    both = plan_rented_sweep(request(max_hours=2, env=(("MAX_HOURS", "50"),)))
    assert both.max_hours == 2 and agent_task(both, "e/p/s", 0.0).envs["MAX_HOURS"] == "2"
    alone = plan_rented_sweep(request(max_cost=40, env=(("MAX_HOURS", "2"),)))
    assert alone.max_hours == 2 and "at most about $36.00" in "\n".join(alone.lines())
    with pytest.raises(UserError, match="--env UNTIL is what this command says to its agents; leave it out"):
        plan_rented_sweep(request(env=(("UNTIL", "5"),)))


def test_each_agent_gets_the_cores_of_one_machine(server: WandbServer) -> None:
    assert {one.cpus for one in plan_rented_sweep(request(gpus="A100:8")).task.resources} == {"64+"}
    assert {one.cpus for one in plan_rented_sweep(request(gpus="A100:1")).task.resources} == {"8+"}


def test_on_slurm_an_agent_says_how_many_cores_it_takes(server: WandbServer) -> None:
    """Without that a Slurm job takes all cores of the cluster, and the agents run one after the other."""
    from sky import clouds

    class Handle:
        class launched_resources:  # noqa: N801
            accelerators = {"A100": 8}  # noqa: RUF012
            cloud = clouds.Slurm()
            instance_type = "20CPU--0GB--A100:8"

    plan = plan_rented_sweep(request())
    (resources,) = agent_task(plan, "e/p/s", 0.0, Cluster("c", "UP", 0.0, 5, True, None, Handle())).resources
    assert (resources.cpus, resources.accelerators) == ("2", {"A100": 1})


def test_a_name_alone_is_one_gpu_and_a_cluster_of_its_own(server: WandbServer) -> None:
    first, second = (
        plan_rented_sweep(request(gpus="A100", name=None)),
        plan_rented_sweep(request(gpus="A100", name=None)),
    )
    assert (first.agents, first.offers[0].placement.accelerators) == (1, "A100:1")
    assert first.name != second.name and first.name.startswith("mesozoic-sweep-")


def test_cpu_agents_and_several_machines(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    plan = plan_rented_sweep(request(gpus="CPU:4", infra="aws", nodes=2))
    assert (plan.agents, plan.task.num_nodes) == (8, 2)
    assert all(not one.accelerators for one in plan.task.resources)
    one = plan_rented_sweep(request(gpus="CPU:4", infra="aws"))
    assert plan.offers[0].price == 2 * one.offers[0].price


def test_a_sweep_that_never_ends_needs_a_limit(server: WandbServer, tmp_path: Path) -> None:
    endless = tmp_path / "endless.yaml"
    endless.write_text(Path("configs/sweeps/velociraptor_balance.yaml").read_text().replace("run_cap: 24", ""))
    with pytest.raises(UserError, match=r"endless.yaml never ends; add for example run_cap: 24"):
        plan_rented_sweep(request(sweep_file=endless))
    assert plan_rented_sweep(request(sweep_file=endless, max_hours=3)).file.runs is None


def simulated_by(physics: str, folder: Path) -> Path:
    """A sweep over a batch that is a whole rollout of the worlds that suit a GPU, more than those of a processor."""
    device = load_stage("velociraptor", 1, device=True)
    batch = device.stage.n_envs * device.ppo.n_steps
    values = {"ppo.n_steps": {"value": device.ppo.n_steps}, "ppo.batch_size": {"values": [batch]}}
    command = ["mesozoic", "train", "velociraptor", "--stage=1", f"--physics={physics}", "--wandb", "${args}"]
    file = folder / "sweep.yaml"
    file.write_text(json.dumps({"method": "grid", "command": command, "parameters": values}))
    return file


@pytest.mark.parametrize(
    ("physics", "gpus", "sentence"),
    [
        ("auto", "A100:8", ""),
        ("mjx-warp", "A100:8", ""),
        ("native", "A100:8", "does not divide"),
        ("auto", "CPU:4", "does not divide"),
        ("mjx-warp", "CPU:4", "simulates on an NVIDIA GPU, and 'CPU:4' is none; ask for example for A100:1"),
    ],
)
def test_values_are_checked_for_what_simulates_on_the_machine(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, physics: str, gpus: str, sentence: str
) -> None:
    """`auto` is another training with a GPU than without one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    infra = "lambda" if gpus != "CPU:4" else "aws"
    wanted = request(gpus=gpus, infra=infra, sweep_file=simulated_by(physics, tmp_path))
    if not sentence:
        assert plan_rented_sweep(wanted).file.physics == physics
        return
    with pytest.raises(UserError, match=sentence):
        plan_rented_sweep(wanted)
