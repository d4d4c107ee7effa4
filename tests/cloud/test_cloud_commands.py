"""`mesozoic cloud` as it is typed: dry runs rent nothing, refusals are one sentence, one command does it all."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_sky import FakeSky

from mesozoic.cli import cloud_options
from mesozoic.cli.app import main
from mesozoic.cloud.ledger import begin, write_ledger
from mesozoic.cloud.sky.client import Job

Run = Callable[..., int]
NAME = "mesozoic-a"
COMMANDS = ("launch", "exec", "status", "queue", "logs", "pull", "cancel", "stop", "down", "cost", "check", "sweep")


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSky:
    """A recorded SkyPilot, a home without credentials, and a working directory in the checkout's place."""
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "ledger"))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    sky = FakeSky()
    monkeypatch.setattr(cloud_options, "connect", lambda: sky)
    return sky


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str) -> int:
        """Exit code of `mesozoic cloud ...`."""
        monkeypatch.setattr(sys, "argv", ["mesozoic", "cloud", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    return run


@pytest.fixture
def on_lambda(sky: FakeSky, sky_offline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Credentials for Lambda, prices for tests, results in a folder for tests."""
    monkeypatch.chdir(tmp_path)
    checkout = Path(__file__).parents[2]
    monkeypatch.setattr("mesozoic.cloud.sky.task.find_checkout", lambda: checkout)
    keys = sky_offline.home / ".lambda_cloud" / "lambda_keys"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text("api_key = nobody\n")
    yield sky
    keys.unlink()


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error
    return error


def changed(sky: FakeSky) -> list[str]:
    """Calls that rent, submit, or end something."""
    looks = ("clusters", "jobs", "managed_jobs", "pools", "pending", "enabled_clouds", "check", "spent")
    return [call for call in sky.calls if call.split()[0] not in (*looks, "tail", "download")]


def test_one_command_does_it_all(on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--species", "trex", "--stage", "1", "--name", NAME, "--max-hours", "1", "--wait", "--pull", "--down"]
    assert run("launch", "--infra", "lambda", *arguments, "--yes") == 0
    out = capsys.readouterr().out
    for phrase in ("/h  lambda", "total: at most about $", "rented: lambda", "mesozoic eval runs/a", "is left"):
        assert phrase in out
    assert Path("runs/a/stage1/models/stage1_final.zip").is_file()
    assert on_lambda.there == {}
    task = on_lambda.tasks[0]
    assert (task.envs["SPECIES"], task.envs["MAX_HOURS"], task.envs["RUN_NAME"]) == ("trex", "1", "a")
    assert all(one.autostop_config.down for one in task.resources)


def test_a_job_that_fails_is_exit_code_1(on_lambda: FakeSky, run: Run) -> None:
    on_lambda.job_states = ["FAILED"]
    assert run("launch", "--infra", "lambda", "--yes", "--down", "--wait") == 1
    assert on_lambda.there == {}


def test_detached(on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("launch", "--infra", "lambda", "--yes", "--detach", "--name", NAME) == 0
    out = capsys.readouterr().out
    for command in ("logs", "pull", "down"):
        assert f"mesozoic cloud {command} {NAME}" in out
    assert NAME in on_lambda.there
    assert run("launch", "--infra", "lambda", "--yes", "--detach", "--down") == 2


def test_nobody_to_ask(on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("launch", "--infra", "lambda") == 2
    assert "add --yes" in refused(capsys)
    assert changed(on_lambda) == []


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["--infra", "aws"], "aws: no"),
        (["--gpus", "A1O0", "--infra", "lambda"], "did you mean 'A10"),
        (["--max-hourly-cost", "0.01"], "below every offer"),
        (["--max-cost", "5"], "needs --max-hours"),
        (["--species", "tyrex"], "did you mean 'trex'"),
        (["--infra", "lambda", "--spot"], "Spot instances are not supported"),
        (["--managed"], "add --env BUCKET="),
        (["--env", "WANDB_API_KEY=abc"], "export WANDB_API_KEY"),
        (["--name", NAME], "exists already"),
        (["--file", "nowhere.yaml"], "no task file nowhere.yaml"),
    ],
)
def test_refused_before_anything_is_rented(
    arguments: list[str], phrase: str, on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    on_lambda.ours(NAME)
    assert run("launch", *arguments, "--yes") == 2
    assert phrase in refused(capsys)
    assert changed(on_lambda) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["launch", "--infra", "lambda", "--dry-run"],
        ["launch", "--infra", "gcp", "--spot", "--gpus", "L4", "--dry-run"],
        ["launch", "--managed", "--env", "BUCKET=my-mesozoic-runs", "--dry-run"],
        ["exec", "--dry-run"],
        ["pull", "--dry-run"],
        ["cancel", "--all", "--dry-run"],
        ["stop", "mesozoic-c", "--dry-run"],
        ["down", "--all", "--dry-run"],
    ],
    ids=" ".join,
)
def test_dry_runs(arguments: list[str], on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    on_lambda.ours(NAME)
    if arguments[0] == "stop":
        on_lambda.ours("mesozoic-c", placement=on_lambda.placed.__class__("gcp", "r", "g2", "L4:1", False, 1, 0.4))
    write_ledger("launch", NAME, run_name="a")
    assert run(*arguments) == 0
    assert "dry run: nothing was" in capsys.readouterr().out
    assert changed(on_lambda) == []
    assert not Path("runs").exists()


def test_prices_without_an_account(sky: FakeSky, sky_offline, at_checkout, run: Run, capsys) -> None:  # type: ignore[no-untyped-def]
    assert run("cost", "--gpus", "A100", "--max-hours", "2") == 0
    out = capsys.readouterr().out
    assert {"lambda", "gcp"} <= {line.split()[0] for line in out.splitlines() if line}
    assert "not measured on" in out and "docs/gpu/h200.json" in out
    assert sky.calls == []


def test_run_again_on_the_cluster(on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    on_lambda.ours(NAME)
    write_ledger("launch", NAME, file="cloud/train.yaml", run_name="a", envs={"SPECIES": "trex", "RUN_NAME": "a"})
    assert run("exec", "--env", "TIMESTEPS=5000", "--detach") == 0
    (task,) = on_lambda.tasks
    assert (task.envs["SPECIES"], task.envs["TIMESTEPS"]) == ("trex", "5000")
    assert task.envs["RUN_NAME"] != "a"  # another configuration is another run
    assert f"autodown {NAME} 5" in on_lambda.calls
    assert run("exec", NAME, "--wait", "--pull", "--down") == 0
    assert on_lambda.tasks[1].envs == {**task.envs}  # the same one goes on where it stopped
    assert on_lambda.there == {}


def test_run_again_with_another_engine(on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The cluster has a GPU or has none, and that decides what `auto` is there."""
    on_lambda.ours(NAME)
    envs = {"SPECIES": "velociraptor", "STAGE": "1", "RUN_NAME": "a"}
    write_ledger("launch", NAME, file="cloud/train.yaml", run_name="a", envs=envs)
    assert run("exec", "--dry-run") == 0
    assert "physics with a GPU: mjx-warp, because" in capsys.readouterr().out
    assert run("exec", "--physics", "native", "--detach") == 0
    assert "physics with a GPU: native; " in capsys.readouterr().out
    (task,) = on_lambda.tasks
    assert task.envs["PHYSICS"] == "native" and task.envs["RUN_NAME"] != "a"
    assert run("exec", "--physics", "mjx-jax", "--env", "GPU_IDS=0,1") == 2
    assert "GPU_IDS 0,1 names device 1, and " in capsys.readouterr().err
    on_lambda.cluster(NAME, placement=replace(on_lambda.placed, accelerators=""))
    assert run("exec", "--dry-run", "--env", "PHYSICS=auto") == 0
    assert "physics without a GPU: native, because the machine has no NVIDIA GPU" in capsys.readouterr().out
    assert run("exec", "--physics", "mjx-warp") == 2
    assert "simulates on an NVIDIA GPU, and this machine has none" in capsys.readouterr().err


def test_status_queue_and_logs(sky: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 0
    assert "nothing of this project is rented" in capsys.readouterr().out
    sky.ours(NAME)
    sky.queue[NAME] = [Job(1, "mesozoic-train", "RUNNING", 1000, 1100, None)]
    assert run("status") == 0
    out = capsys.readouterr().out
    for phrase in (NAME, "UP", "busy", "$0.75/h", "spent", "down after 5 min idle"):
        assert phrase in out
    assert run("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["clusters"][0]["price"] == 0.75
    assert run("queue") == 0
    assert "1  mesozoic-train  RUNNING" in capsys.readouterr().out
    assert run("logs") == 0
    sky.job_states = ["FAILED"]
    assert run("logs", "a") == 1  # without the prefix


def test_no_such_cluster(sky: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("logs") == 2
    assert "no cluster of this project" in refused(capsys)
    sky.ours("mesozoic-trex")
    assert run("logs", "mesozoic-tre") == 2
    assert "did you mean 'mesozoic-trex'" in refused(capsys)
    sky.ours("mesozoic-other", "INIT")
    assert run("logs") == 2
    assert "name one of: mesozoic-trex, mesozoic-other" in refused(capsys)
    assert run("logs", "mesozoic-other") == 2
    assert "is INIT, not UP" in refused(capsys)


def test_down_all(sky: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for name, state in ((NAME, "UP"), ("mesozoic-half", "INIT")):
        sky.ours(name, state)
    sky.cluster("somebody-elses")
    begin("managed job", "mesozoic-spot")
    sky.launch_managed(None, "mesozoic-spot")
    assert run("down", "--all", "--yes") == 0
    out = capsys.readouterr().out
    assert list(sky.there) == ["somebody-elses"]
    assert sky.managed[0].state == "CANCELLED"
    assert "mesozoic-half is down" in out and "no cluster, managed job or pool of this project is left" in out
    assert run("down", NAME, "--all") == 2


def test_check_says_what_to_type(on_lambda: FakeSky, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "lambda", "slurm") == 0
    out = capsys.readouterr().out
    assert "lambda: works" in out and "slurm: not set up" in out and "nobody" not in out
    on_lambda.enabled = []
    assert run("check", "lambda") == 1
    assert "type: sky check lambda" in capsys.readouterr().out
    assert run("check", "lambda", "--offline") == 0


@pytest.mark.parametrize("command", [["launch", "--dry-run"], ["status"], ["down", "--all"], ["cost"]], ids=" ".join)
def test_without_skypilot(
    command: list[str], run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sky", None)
    assert run(*command) == 2
    assert (
        refused(capsys)
        == 'error: SkyPilot is not installed; in the checkout, type: pip install -c constraints.txt -e ".[cloud]"'
    )


def test_nothing_heavy_is_imported() -> None:
    rooms = ("launch", "status", "cost")
    modules = ", ".join(["mesozoic.cli.app", *(f"mesozoic.cloud.sky.{room}" for room in rooms)])
    code = f"import {modules}, sys; print(*({{'sky', 'wandb', 'jax', 'mujoco'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_every_command_has_help(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert run(command, "--help") == 0
        assert f"cloud {command}" in capsys.readouterr().out


def test_the_guide_types_what_exists() -> None:
    """Commands and options in docs/cloud.md are real."""
    import re

    import typer

    from mesozoic.cli.cloud_command import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = (Path(__file__).parents[2] / "docs" / "cloud.md").read_text(encoding="utf-8")
    typed = re.findall(r"mesozoic cloud ([a-z]+)([^\n`|']*)", text)
    assert len(typed) > 20
    for name, rest in typed:
        assert name in commands, name
        options = {
            option for parameter in commands[name].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for option in re.findall(r"(--[a-z-]+)", rest):
            assert option in options, f"mesozoic cloud {name} {option}"
