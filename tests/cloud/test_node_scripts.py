"""What the rented machine runs: `cloud/node-setup.sh` and `cloud/node-train.sh` in a home folder of their own."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesozoic.run.checkpoint import checkpoints, read_manifest

CHECKOUT = Path(__file__).parents[2]
SETUP, TRAIN = CHECKOUT / "cloud" / "node-setup.sh", CHECKOUT / "cloud" / "node-train.sh"
PATIENCE = 600
"""Seconds: a busy computer starts programs slowly."""
RECORD = """#!/bin/bash
[ "$1" = -m ] || exit 0
env >"$HOME/env"
printf '%s\\n' "$@" >"$HOME/arguments"
"""

pytestmark = pytest.mark.skipif(not SETUP.is_file(), reason="needs a checkout")


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Node:
    """A home folder with a stand-in for Python that writes down how it was called."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.python(RECORD)

    def python(self, text: str) -> None:
        program(self.home / ".mesozoic" / "venv" / "bin" / "python", text)

    def environment(self, **envs: str) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], **envs}

    def train(self, **envs: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", TRAIN], env=self.environment(**envs), capture_output=True, text=True, timeout=PATIENCE
        )

    @property
    def arguments(self) -> list[str]:
        return (self.home / "arguments").read_text().splitlines()

    @property
    def variables(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.home / "env").read_text().splitlines() if "=" in line)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


DEFAULTS = ["--seed", "0", "--backend", "auto", "--algorithm", "ppo"]


def test_all_stages_are_a_curriculum(node: Node) -> None:
    assert node.train(SPECIES="trex").returncode == 0
    run = f"{node.home}/mesozoic-runs/trex-stageall-seed0"
    assert node.arguments == ["-m", "mesozoic", "curriculum", "trex", "--output-dir", run, *DEFAULTS]
    assert "WANDB_RUN_ID" not in node.variables


def test_every_knob(node: Node) -> None:
    settings = {"STAGE": "2", "TIMESTEPS": "5000", "N_ENVS": "64", "BACKEND": "sb3", "ALGORITHM": "sac", "SEED": "7"}
    words = " ppo.gamma=0.98\n  env.names=[*]  "
    done = node.train(SPECIES="trex", OVERRIDES=words, RUN_NAME="mine", RESULTS=f"{node.home}/bucket", **settings)
    assert done.returncode == 0, done.stderr
    assert node.arguments[2:] == [
        *("train", "trex", "--stage", "2", "--output-dir", f"{node.home}/bucket/mine"),
        *("--seed", "7", "--backend", "sb3", "--algorithm", "sac", "--timesteps", "5000", "--n-envs", "64"),
        *("--override", "ppo.gamma=0.98", "env.names=[*]"),
    ]


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        *[("STAGE", value) for value in ("two", "1 2", "-1", "all;true")],
        *[("TIMESTEPS", value) for value in ("5e6", "5_000", "-1", "1.5")],
        *[("N_ENVS", "many"), ("SEED", "x"), ("SKYPILOT_NUM_NODES", "2")],
        *[("MAX_HOURS", value) for value in ("0", "0.0", "1h", "-1", ".", "inf")],
        *[("RUN_NAME", value) for value in ("../other", "/absolute", "a b", ".hidden", "-x", "a/b")],
    ],
)
def test_a_bad_knob_is_refused_in_one_sentence(node: Node, knob: str, value: str) -> None:
    done = node.train(**{"SPECIES": "trex", knob: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and value in done.stderr
    assert not (node.home / "arguments").exists()


def test_a_machine_without_mesozoic_says_what_to_run(node: Node) -> None:
    (node.home / ".mesozoic" / "venv" / "bin" / "python").unlink()
    done = node.train()
    assert done.returncode == 2 and "bash cloud/node-setup.sh" in done.stderr


@pytest.mark.parametrize(("envs", "sentence"), [
    ({"SPECIES": "dog"}, "error: unknown species 'dog'"),
    ({"SPECIES": "trex", "STAGE": "9"}, "error: trex has no stage 9; it has 1, 2, 3"),
    ({"OVERRIDES": "ppo.gama=1"}, "did you mean 'ppo.gamma'"),
    ({"BACKEND": "jaxx"}, "error: unknown backend 'jaxx'"),
])  # fmt: skip
def test_mesozoic_refuses_the_rest(node: Node, envs: dict[str, str], sentence: str) -> None:
    node.python(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = node.train(**envs)
    assert done.returncode == 2
    assert sentence in done.stderr and done.stderr.count("\n") == 1


def test_wandb_only_with_a_key(node: Node) -> None:
    node.train(STAGE="1", WANDB_API_KEY="", WANDB_BASE_URL="", SKYPILOT_TASK_ID="sky-1_a-1-0")
    assert "--wandb" not in node.arguments
    assert [name for name in node.variables if name.startswith("WANDB")] == []


def test_wandb_goes_on_with_one_run(node: Node) -> None:
    """After a recovery the task's id is the same, on a new disk; a later job finds it in the run folder."""

    def run_id(task: str, folder: str = "one", stage: str = "1") -> str | None:
        envs = {"WANDB_API_KEY": "k" * 40, "WANDB_BASE_URL": "http://localhost:1", "SKYPILOT_TASK_ID": task}
        done = node.train(STAGE=stage, RUN_NAME="x", RESULTS=f"{node.home}/{folder}", **envs)
        assert "k" * 40 not in done.stdout + done.stderr + " ".join(node.arguments)
        assert "--wandb" in node.arguments
        assert (node.variables["WANDB_RESUME"], node.variables["WANDB_RUN_GROUP"]) == ("allow", "x")
        assert node.variables["WANDB_BASE_URL"] == "http://localhost:1"
        return node.variables.get("WANDB_RUN_ID")

    first = run_id("sky-1_a-1-0")
    assert first is not None and first.isalnum()
    assert run_id("sky-1_a-1-0", "another disk") == first
    assert run_id("sky-2_a-2-0") == first
    assert run_id("sky-2_a-2-0", "another run") != first
    assert run_id("sky-1_a-1-0", "all", stage="all") is None  # three runs, whose ids the run folder keeps


@pytest.mark.parametrize("code", [0, 1, 2, 134, 137, 143])
def test_exit_codes_are_mesozoics_own(node: Node, code: int) -> None:
    node.python(f'#!/bin/sh\n[ "$1" = -m ] && exit {code}\n')
    assert node.train().returncode == code
    assert node.train(MAX_HOURS="1").returncode == code


@pytest.mark.parametrize(
    ("code", "ends"), [(0, [0]), (2, [2]), (137, [137]), (1, [75, 75, 75, 1]), (139, [75] * 3 + [139])]
)
def test_a_managed_job_asks_for_another_machine_a_few_times(node: Node, code: int, ends: list[int]) -> None:
    node.python(f'#!/bin/sh\n[ "$1" = -m ] && exit {code}\nexit 0\n')
    managed = {"SKYPILOT_MANAGED_JOB_ID": "4", "RESULTS": f"{node.home}/bucket"}
    assert [node.train(**managed).returncode for _ in ends] == ends
    again = node.train(**{**managed, "SKYPILOT_MANAGED_JOB_ID": "5"})
    assert again.returncode == ends[0]


SLEEPER = """#!/bin/bash
[ "$1" = -m ] || exit 0
trap 'echo saved; exit 143' TERM
sleep 1
echo started
while :; do sleep 0.1; done
"""
"""Stands for training; the pause lets those who pass on a signal get ready."""


def test_max_hours_ends_the_job_from_inside(node: Node) -> None:
    node.python(SLEEPER)
    for managed in ({}, {"SKYPILOT_MANAGED_JOB_ID": "4"}):
        done = node.train(MAX_HOURS="0.001", **managed)
        assert done.returncode == 143
        assert "saved" in done.stdout and "stopped after 0.001 h" in done.stdout


@pytest.mark.parametrize(("managed", "code"), [({}, 143), ({"SKYPILOT_MANAGED_JOB_ID": "4"}, 75)])
@pytest.mark.parametrize("limit", ["", "1"])
def test_a_machine_that_is_taken_away(node: Node, managed: dict[str, str], code: int, limit: str) -> None:
    node.python(SLEEPER)
    envs = node.environment(MAX_HOURS=limit, RESULTS=f"{node.home}/bucket", **managed)
    job = subprocess.Popen(["bash", TRAIN], env=envs, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    for line in job.stdout:
        if "started" in line:
            break
    job.send_signal(signal.SIGTERM)
    assert "saved" in job.communicate(timeout=PATIENCE)[0]
    assert job.returncode == code


class Machine:
    """A machine that nothing is installed on: stand-ins for uv and, if it has one, for its GPU's tool."""

    def __init__(self, root: Path) -> None:
        self.home, self.programs = root / "home", root / "bin"
        self.home.mkdir()
        for name in ("bash", "cat", "cksum", "dirname", "mkdir", "rm", "ln"):
            program(self.programs / name, f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
        program(self.programs / "python3.11", '#!/bin/bash\n[ "$1" = --version ] && echo Python 3.11.7\nexit 0\n')
        self.uv()

    def uv(self) -> None:
        """Makes virtual environments of nothing but a stand-in, and writes down what it was asked for."""
        python = '#!/bin/bash\\n[[ "$2" == *devices* ]] && echo "${JAX_SEES:-cpu:0}"\\nexit 0\\n'
        program(
            self.programs / "uv",
            '#!/bin/bash\necho "$@" >>"$HOME/uv"\n'
            f'[ "$1" = venv ] && mkdir -p "${{@: -1}}/bin" && printf \'{python}\' >"${{@: -1}}/bin/python"'
            f' && {shutil.which("chmod")} +x "${{@: -1}}/bin/python"\nexit 0\n',
        )

    def setup(self, **envs: str) -> subprocess.CompletedProcess[str]:
        shell = str(self.programs / "bash")
        environment = {"HOME": str(self.home), "PATH": str(self.programs), "MESOZOIC_IMAGE_VENV": "/nowhere", **envs}
        return subprocess.run([shell, SETUP], env=environment, capture_output=True, text=True, timeout=PATIENCE)

    @property
    def installs(self) -> list[str]:
        """The requirement of each installation so far."""
        asked = (self.home / "uv").read_text().splitlines() if (self.home / "uv").exists() else []
        return [line.split()[-1] for line in asked if line.startswith("pip install")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


NVIDIA_SMI = "#!/bin/sh\necho 'GPU 0: NVIDIA A10 (UUID: GPU-1)'\n"


def test_setup_without_a_gpu(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installs == [".[sweep]"]
    assert "no extra for GPUs" in done.stdout and "python3.11 (Python 3.11.7)" in done.stdout
    pinned = [line for line in (machine.home / "uv").read_text().splitlines() if "-c constraints.txt" in line]
    assert len(pinned) == 1


def test_setup_with_a_gpu(machine: Machine) -> None:
    program(machine.programs / "nvidia-smi", NVIDIA_SMI)
    done = machine.setup(JAX_SEES="CudaDevice(id=0)")
    assert machine.installs == [".[cuda,sweep]"]
    assert "because nvidia-smi lists GPU 0: NVIDIA A10" in done.stdout and "warning" not in done.stdout


def test_setup_warns_when_the_gpu_is_of_no_use(machine: Machine) -> None:
    program(machine.programs / "nvidia-smi", NVIDIA_SMI)
    assert "warning: the learner will not use the GPU" in machine.setup().stdout


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho 'No devices were found'\n"])
def test_setup_with_the_tool_but_no_gpu(machine: Machine, text: str) -> None:
    program(machine.programs / "nvidia-smi", text)
    machine.setup()
    assert machine.installs == [".[sweep]"]


def test_setup_installs_the_learner_that_is_asked_for(machine: Machine) -> None:
    machine.setup(BACKEND="sb3")
    assert machine.installs == [".[sb3,sweep]"]


def test_setup_again_does_nothing_until_something_changed(machine: Machine) -> None:
    machine.setup()
    assert "nothing has changed" in machine.setup().stdout
    assert len(machine.installs) == 1
    program(machine.programs / "nvidia-smi", NVIDIA_SMI)
    machine.setup()
    assert machine.installs == [".[sweep]", ".[cuda,sweep]"]


def test_setup_fetches_python_where_there_is_none(machine: Machine) -> None:
    program(machine.programs / "python3.11", "#!/bin/sh\nexit 1\n")
    for name in ("python3.12", "python3.13", "python3"):
        program(machine.programs / name, "#!/bin/sh\nexit 1\n")
    done = machine.setup()
    asked = (machine.home / "uv").read_text()
    if "python install 3.11" not in asked:
        assert "Python: /usr" in done.stdout  # this computer's own, found by its full path
    assert done.returncode == 0


def test_setup_without_uv_and_without_a_way_to_get_it(machine: Machine) -> None:
    (machine.programs / "uv").unlink()
    done = machine.setup()
    assert done.returncode == 2
    assert done.stderr.startswith("error: uv could not be installed") and done.stderr.count("\n") == 1


def test_a_setup_that_hangs_is_ended(machine: Machine) -> None:
    """The machine would never be idle, so it would never end itself."""
    for name in ("timeout", "sleep"):
        program(machine.programs / name, f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
    assert machine.setup().returncode == 0
    program(machine.programs / "uv", "#!/bin/bash\nsleep 600\n")
    program(machine.programs / "nvidia-smi", NVIDIA_SMI)  # so that something is to be installed
    began = time.monotonic()
    done = machine.setup(MESOZOIC_SETUP_LIMIT="2s")
    assert done.returncode == 124 and time.monotonic() - began < 300
    assert "error: not set up after 2s" in done.stderr


def test_setup_in_the_container_image_installs_nothing(machine: Machine, tmp_path: Path) -> None:
    program(tmp_path / "image" / "bin" / "python", "#!/bin/sh\nexit 0\n")
    for _ in range(2):
        assert "ready" in machine.setup(MESOZOIC_IMAGE_VENV=str(tmp_path / "image")).stdout
    assert machine.installs == []
    assert (machine.home / ".mesozoic" / "venv" / "bin" / "python").resolve() == tmp_path / "image" / "bin" / "python"


def test_a_container_without_the_packages_installs_them(machine: Machine, tmp_path: Path) -> None:
    program(tmp_path / "image" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    machine.setup(MESOZOIC_IMAGE_VENV=str(tmp_path / "image"))
    assert machine.installs == [".[sweep]"]


def test_the_scripts_are_clean() -> None:
    shellcheck = shutil.which("shellcheck") or pytest.skip("shellcheck is not installed")
    for script in sorted((CHECKOUT / "cloud").glob("*.sh")):
        assert "set -euo pipefail" in script.read_text(), script
        done = subprocess.run([shellcheck, script], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.e2e
def test_a_real_machine(tmp_path: Path) -> None:
    """Installs from the package registry, trains, is stopped and goes on where it stopped."""
    tree, home = tmp_path / "tree", tmp_path / "home"
    home.mkdir()
    leave = shutil.ignore_patterns(".git", "runs", ".venv", "__pycache__", "*.egg-info", "policies")
    shutil.copytree(CHECKOUT, tree, ignore=leave)
    # What leads to the package registry is passed on, nothing else.
    leads = {key: value for key, value in os.environ.items() if key.startswith(("UV_", "SSL_", "PIP_", "https_"))}
    settings = {"SPECIES": "trex", "STAGE": "1", "TIMESTEPS": "20000", "N_ENVS": "64"}
    settings["OVERRIDES"] = "ppo.n_steps=64 ppo.net_arch=[16,16] curriculum.save_freq=4000"
    envs = {"HOME": str(home), "PATH": os.environ["PATH"], **leads, **settings}

    def run(script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(tree / "cloud" / script)]
        return subprocess.run(command, env=envs, capture_output=True, text=True, timeout=3 * PATIENCE)

    done = run("node-setup.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing has changed" in run("node-setup.sh").stdout

    folder = home / "mesozoic-runs" / "trex-stage1-seed0" / "stage1" / "checkpoints"
    job = subprocess.Popen(["bash", str(tree / "cloud" / "node-train.sh")], env=envs)
    while not checkpoints(folder):
        assert job.poll() is None
        time.sleep(0.1)
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=600) == 143
    step = read_manifest(checkpoints(folder)[-1])["step"]
    assert 4000 <= step < 20000

    again = run("node-train.sh")
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"going on from the checkpoint at {step:,} steps" in again.stdout + again.stderr
