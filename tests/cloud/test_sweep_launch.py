"""A rented sweep is made as a whole or not at all: real W&B client, real optimizer, recorded machines."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fake_sky import A100, FakeSky, interrupted, sold_out

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_server import API_KEY, WandbServer

from mesozoic.cloud.ledger import launched, open_launches, read_ledger
from mesozoic.cloud.sky.client import Cluster, Job
from mesozoic.cloud.sky.sweep import SweepRequest, launch_sweep
from mesozoic.cloud.sky.sweep_agents import wait_for_agents
from mesozoic.cloud.sky.sweep_plan import SweepPlan, agent_task, plan_sweep
from mesozoic.cloud.sky.sweep_pool import launch_pool
from mesozoic.errors import UserError
from mesozoic.species import load_stage
from mesozoic.sweep.wandb_sweep import Sweep

pytestmark = pytest.mark.skipif(find_spec("sky") is None, reason="needs the extra [cloud]")  # conftest imports it


@pytest.fixture
def server(
    sky_offline: Any, at_checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WandbServer]:
    """W&B, and a user with credentials for it and for Lambda."""
    keys = sky_offline.home / ".lambda_cloud" / "lambda_keys"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text("api_key = test\n")
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr("mesozoic.cloud.patience.time.sleep", lambda seconds: None)
    monkeypatch.setattr("mesozoic.sweep.wandb_sweep.PATIENCE_SECONDS", 0.1)
    with WandbServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


class Machines(FakeSky):
    """Recorded machines with GPUs that their handle names; `on_agent` is called before each agent is submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.placed = A100
        self.on_agent: Any = lambda: None

    def cluster(self, name: str, state: str = "UP", **more: Any) -> Cluster:  # type: ignore[override]
        class Handle:
            class launched_resources:  # noqa: N801
                accelerators = {"A100": 8}  # noqa: RUF012
                cloud = "Lambda"

        return super().cluster(name, state, handle=Handle())

    def execute(self, task: Any, name: str) -> int | None:
        self.on_agent()
        return super().execute(task, name)


def request(**changes: Any) -> SweepRequest:
    return SweepRequest(**{"gpus": "A100:8", "infra": "lambda", "yes": True, "name": "mesozoic-sweep-1", **changes})


def test_the_plan(server: WandbServer) -> None:
    plan = plan_sweep(request(max_hours=2))
    assert (plan.agents, plan.gpus.name, plan.project) == (8, "A100", "mesozoic")
    text = "\n".join(plan.lines())
    assert "every run: ${env} mesozoic sweep trial velociraptor --stage=1" in text and "00 ${args}\n" in text
    assert "24 runs at most" in text and server.url in text
    assert "cluster mesozoic-sweep-1: 8 agents, one for each A100" in text
    assert "1. $16.00/h  lambda gpu_8x_a100 (A100:8) in us-east-1" in text
    assert "total: at most about $36.00" in text  # 2 h of agents and a quarter of an hour around them
    assert {(one.autostop_config.idle_minutes, one.autostop_config.down) for one in plan.task.resources} == {(5, True)}


def test_a_pool_promises_no_limit(server: WandbServer) -> None:
    text = "\n".join(plan_sweep(request(max_hours=2, pool=True)).lines())
    assert "total: about $" in text and "this is no limit" in text and "at most about" not in text


def test_each_agent_gets_the_cores_of_one_machine(server: WandbServer) -> None:
    assert {one.cpus for one in plan_sweep(request(gpus="A100:8")).task.resources} == {"64+"}
    assert {one.cpus for one in plan_sweep(request(gpus="A100:1")).task.resources} == {"8+"}


def test_on_slurm_an_agent_says_how_many_cores_it_takes(server: WandbServer) -> None:
    """Without that a Slurm job takes all cores of the cluster, and the agents run one after the other."""
    from sky import clouds

    class Handle:
        class launched_resources:  # noqa: N801
            accelerators = {"A100": 8}  # noqa: RUF012
            cloud = clouds.Slurm()
            instance_type = "20CPU--0GB--A100:8"

    plan = plan_sweep(request())
    (resources,) = agent_task(plan, "e/p/s", Cluster("c", "UP", 0.0, 5, True, None, Handle())).resources
    assert (resources.cpus, resources.accelerators) == ("2", {"A100": 1})


def test_a_name_alone_is_one_gpu_and_a_cluster_of_its_own(server: WandbServer) -> None:
    first, second = plan_sweep(request(gpus="A100", name=None)), plan_sweep(request(gpus="A100", name=None))
    assert (first.agents, first.offers[0].placement.accelerators) == (1, "A100:1")
    assert first.name != second.name and first.name.startswith("mesozoic-sweep-")


def test_cpu_agents_and_several_machines(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    plan = plan_sweep(request(gpus="CPU:4", infra="aws", nodes=2))
    assert (plan.agents, plan.task.num_nodes) == (8, 2)
    assert all(not one.accelerators for one in plan.task.resources)
    one = plan_sweep(request(gpus="CPU:4", infra="aws"))
    assert plan.offers[0].price == 2 * one.offers[0].price


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gpus": "A100:0"}, "is not GPU"),
        ({"gpus": "A100:88", "nodes": 8}, "704 agents are more than 256"),
        ({"gpus": "A1000"}, "did you mean|is offered"),
        ({"infra": "lamda"}, "did you mean 'lambda'"),
        ({"infra": "gcp"}, "gcp: no"),
        ({"max_hourly_cost": 1.0}, r"--max-hourly-cost 1 is below every offer; the cheapest is .* \$16.00/h"),
        ({"down": True}, "add --wait"),
        ({"env": (("SWEEP", "x"),)}, "no knob 'SWEEP'; did you mean 'SWEEP_ID'"),
        ({"env": (("WANDB_API_KEY", "x"),)}, "would be stored in plain text"),
        ({"sweep_file": Path("nowhere.yaml")}, "cannot read nowhere.yaml"),
        ({"name": "a b"}, "--name 'a b' is not usable"),
    ],
)
def test_bad_input_makes_nothing(server: WandbServer, changes: dict[str, Any], sentence: str) -> None:
    sky = Machines()
    with pytest.raises(UserError, match=sentence) as caught:
        launch_sweep(request(**changes), print, client=sky)
    assert "\n" not in str(caught.value)
    assert server.operations == [] and sky.calls == [] and read_ledger() == []


def test_a_sweep_that_never_ends_needs_a_limit(server: WandbServer, tmp_path: Path) -> None:
    endless = tmp_path / "endless.yaml"
    endless.write_text(Path("configs/sweeps/velociraptor_balance.yaml").read_text().replace("run_cap: 24", ""))
    with pytest.raises(UserError, match=r"endless.yaml never ends; add for example run_cap: 24"):
        plan_sweep(request(sweep_file=endless))
    assert plan_sweep(request(sweep_file=endless, max_hours=3)).file.runs is None


def test_without_a_key(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UserError, match="there is no key for it; type 'wandb login'"):
        launch_sweep(request(), print, client=Machines())
    launch_sweep(request(dry_run=True), print)


def test_dry_run_makes_nothing(server: WandbServer) -> None:
    sky, said = Machines(), list[str]()
    result = launch_sweep(request(dry_run=True, yes=False), said.append, client=sky)
    assert (result.cluster, result.sweep, result.jobs) == ("", None, ())
    assert said[-1] == "dry run: no sweep was created and nothing was rented"
    assert server.operations == [] and sky.calls == [] and read_ledger() == []


def test_nothing_is_made_without_a_yes(server: WandbServer) -> None:
    sky = Machines()
    with pytest.raises(UserError, match="nothing was created or rented"):
        launch_sweep(request(yes=False), print, confirm=lambda question: False, client=sky)
    assert server.operations == [] and sky.calls == []


def test_an_agent_for_each_gpu(server: WandbServer) -> None:
    sky, said = Machines(), list[str]()
    result = launch_sweep(request(max_hours=2), said.append, client=sky)
    (sweep,) = server.sweeps.values()
    assert result.sweep is not None and result.sweep.id == sweep.name
    assert sky.calls.count("execute mesozoic-sweep-1") == len(result.jobs) == 8
    cluster_task, *agents = sky.tasks
    assert cluster_task.run is None and "node-setup.sh" in cluster_task.setup
    for task in agents:
        assert task.envs["SWEEP_ID"] == f"dinosaurs/mesozoic/{sweep.name}"
        assert (task.envs["SLOTS"], task.envs["MAX_HOURS"]) == ("8", "2")
        assert task.envs["WANDB_BASE_URL"] == server.url
        assert task.secrets["WANDB_API_KEY"].get_secret_value() == API_KEY
        assert task.setup is None and task.workdir is None
        (resources,) = task.resources
        assert resources.accelerators == {"A100": 1}
    text = "\n".join(said)
    for hint in (result.sweep.url, "cloud queue mesozoic-sweep-1", "pull mesozoic-sweep-1", "down mesozoic-sweep-1"):
        assert hint in text
    assert API_KEY not in text and API_KEY not in str(read_ledger())
    assert launched("mesozoic-sweep-1")["run_name"] == f"sweep-{sweep.name}"
    assert "mesozoic-sweep-1" in sky.there


def fail_at_agent(number: int, error: BaseException) -> Any:
    left = [number]

    def on_agent() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error

    return on_agent


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("sold out", "Failed to acquire"),
        ("interrupted", "interrupted"),
        ("setup", "could not be set up"),
        ("agent", "no job for you"),
        ("interrupted at an agent", "interrupted"),
        ("SIGTERM", "interrupted"),
        ("SIGHUP", "interrupted"),
    ],
)
def test_whatever_goes_wrong_nothing_is_left(server: WandbServer, what: str, sentence: str) -> None:
    sky, said = Machines(), list[str]()
    if what == "sold out":
        sky.launching = sold_out
    elif what == "interrupted":
        sky.launching = interrupted
    elif what == "setup":
        sky.job_states = ["FAILED_SETUP"]
    elif what == "agent":
        sky.on_agent = fail_at_agent(3, UserError("no job for you"))
    elif what == "interrupted at an agent":
        sky.on_agent = fail_at_agent(3, KeyboardInterrupt())
    else:
        sky.launching = lambda name: os.kill(os.getpid(), getattr(signal, what))
    with pytest.raises(UserError, match=f"{sentence}.*nothing of it is left running; the sweep is cancelled") as caught:
        launch_sweep(request(), said.append, client=sky)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == {"SIGTERM": 143, "SIGHUP": 129}.get(what, 130 if "interrupted" in what else 2)
    assert sky.there == {}
    (sweep,) = server.sweeps.values()
    assert sweep.state == "CANCELED"


def test_a_bug_of_ours_takes_everything_down_too(server: WandbServer) -> None:
    sky, said = Machines(), list[str]()
    sky.on_agent = fail_at_agent(1, ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        launch_sweep(request(), said.append, client=sky)
    assert sky.there == {} and "nothing of it is left running; the sweep is cancelled" in said[-1]


def test_the_network_goes_and_stays_away(server: WandbServer) -> None:
    sky = Machines()

    def cut(name: str) -> None:
        sky.network = False
        server.refuse["SweepWithRuns"] = 400
        raise UserError("SkyPilot does not answer")

    sky.launching = cut
    with pytest.raises(UserError, match=r"could NOT be confirmed.*mesozoic cloud down mesozoic-sweep-1") as caught:
        launch_sweep(request(), print, client=sky, patience=0.0)
    assert "the sweep could not be cancelled" in str(caught.value)


def test_wandb_refuses_so_nothing_is_rented(server: WandbServer) -> None:
    sky = Machines()
    server.refuse["UpsertSweep"] = 400
    with pytest.raises(UserError, match="could not create the sweep"):
        launch_sweep(request(), print, client=sky)
    assert not any(call.startswith("launch") for call in sky.calls)


def test_a_cluster_of_that_name_is_left_alone(server: WandbServer) -> None:
    sky = Machines()
    sky.cluster("mesozoic-sweep-1")
    with pytest.raises(UserError, match="exists already"):
        launch_sweep(request(), print, client=sky)
    assert "mesozoic-sweep-1" in sky.there and server.sweeps == {}


class Ending(Machines):
    """Machines whose agents end one after the other, whenever somebody looks."""

    def __init__(self, *states: str) -> None:
        super().__init__()
        self.states = list(states)

    def jobs(self, name: str) -> list[Job]:
        jobs = super().jobs(name)
        for place, job in enumerate(jobs):
            if place > 0 and not job.ended and self.states:  # the first one is the setup
                jobs[place] = Job(job.id, job.name, self.states.pop(0), 0.0, 0.0, 1.0)
                break
        return jobs


@pytest.mark.parametrize(("last", "failed"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_wait_pull_and_down(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, failed: int
) -> None:
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_agents.PAUSE", 0.0)
    sky, said = Ending(*["SUCCEEDED"] * 7, last), list[str]()
    wanted = request(wait=True, pull=tmp_path / "swept", down=True)
    result = launch_sweep(wanted, said.append, client=sky)
    assert len(result.failed) == failed
    assert result.sweep is not None
    assert f"download mesozoic-sweep-1 ~/mesozoic-runs/sweep-{result.sweep.id}" in sky.calls
    assert (tmp_path / "swept" / f"sweep-{result.sweep.id}" / "stage1" / "models" / "stage1_final.zip").exists()
    assert sky.there == {}
    assert any(("agents that failed" in line) == bool(failed) for line in said)


def test_waiting_survives_a_network_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_agents.sweep_state", lambda sweep, key: ("RUNNING", {"a": "running"}))
    answers: list[Any] = [
        UserError("no network"),
        [Job(1, "a", "RUNNING", 0, 0, None)],
        [Job(1, "a", "FAILED", 0, 0, 1)],
    ]

    def look() -> list[Job]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: list[Job] = answer
        return found

    nowhere = Sweep("x", "e", "p", "")
    assert wait_for_agents(look, [1], nowhere, lambda line: None, sleep=lambda seconds: None) == {1: "FAILED"}
    answers = [UserError("no network")] * 3
    with pytest.raises(UserError, match="no word from the agents"):
        wait_for_agents(look, [1], nowhere, lambda line: None, silence=-1.0, sleep=lambda seconds: None)


def pool_plan() -> SweepPlan:
    return plan_sweep(request(gpus="A100:8", nodes=2, pool=True))


class Pools(FakeSky):
    """Managed pools whose agents end when somebody looks."""

    def managed_jobs(self) -> list[Job]:
        self.managed = [replace(one, state="SUCCEEDED") for one in self.managed]
        return super().managed_jobs()


def test_a_pool_is_taken_down_after_its_last_agent(server: WandbServer) -> None:
    sky = Pools()
    result = launch_pool(sky, pool_plan(), lambda line: None, 1.0)
    assert (len(result.jobs), result.failed) == (16, ())
    told = [call for call in sky.calls if call.split()[0] in ("apply_pool", "submit", "down_pool", "cancel_managed")]
    assert told == [
        "apply_pool mesozoic-sweep-1 2",
        "submit 16 mesozoic-sweep-1-agent to mesozoic-sweep-1",
        "down_pool mesozoic-sweep-1",
    ]
    assert open_launches() == {}


@pytest.mark.parametrize("error", [UserError("sold out"), KeyboardInterrupt()])
def test_a_pool_that_fails_is_taken_down(server: WandbServer, error: BaseException) -> None:
    sky = FakeSky()

    def fail(name: str) -> None:
        raise error

    sky.launching = fail
    with pytest.raises(UserError, match="nothing of it is left running; the sweep is cancelled"):
        launch_pool(sky, pool_plan(), lambda line: None, 1.0)
    assert sky.pooled == {} and open_launches() == {}
    assert [sweep.state for sweep in server.sweeps.values()] == ["CANCELED"]


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
        assert plan_sweep(wanted).file.physics == physics
        return
    with pytest.raises(UserError, match=sentence):
        plan_sweep(wanted)
