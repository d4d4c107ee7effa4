"""What the rented machine runs: `cloud/node-setup.sh` and `cloud/node-train.sh` in a home folder of their own."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from mesozoic.job.environment import VARIABLES
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


def test_the_job_gets_every_knob_untouched(node: Node) -> None:
    """Text that a shell would take apart included."""
    knobs = {variable.name: f"{variable.name} $(false) ; '\"` \\ [64, 64]*" for variable in VARIABLES}
    assert node.train(**knobs).returncode == 0
    assert node.arguments == ["-m", "mesozoic.job"]
    assert {name: node.variables[name] for name in knobs} == knobs
    assert (node.variables["JOB_ID"], node.variables["JOB_MOVES"]) == ("", "")
    assert node.variables["PYTHONPATH"] == str(CHECKOUT)


ORCHESTRATE = CHECKOUT / "cloud" / "node-orchestrate.sh"
WHERE = {"SPECIES": "trex", "PROJECT": "my-project", "REGION": "us-central1", "BUCKET": "b", "IMAGE": "image:1"}


def orchestrate(node: Node, **envs: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", str(ORCHESTRATE)]
    return subprocess.run(words, env=node.environment(**envs), capture_output=True, text=True, timeout=PATIENCE)


def test_an_orchestrator_sweeps_all_stages_with_every_option_untouched(node: Node) -> None:
    envs = {"SERVICE_ACCOUNT": "jobs@x", "OPTIONS": "--trials=20 --search-space={$(false)*}"}
    assert orchestrate(node, **WHERE, **envs).returncode == 0
    assert node.arguments[:7] == ["-m", "mesozoic", "sweep", "launch-all", "--engine", "vertex", "--yes"]
    assert node.arguments[-3:] == ["--service-account=jobs@x", "--trials=20", "--search-space={$(false)*}"]
    assert node.variables["PYTHONPATH"] == str(CHECKOUT)
    orchestrate(node, **WHERE)
    assert node.arguments[-2:] == ["--image", "image:1"]


@pytest.mark.parametrize("name", sorted(WHERE))
def test_an_orchestrator_refuses_what_is_missing(node: Node, name: str) -> None:
    done = orchestrate(node, **{**WHERE, name: ""})
    assert done.returncode == 2 and done.stderr == f"error: {name} is empty; launch again with --env {name}=...\n"
    assert not (node.home / "arguments").exists()


def test_the_job_hears_what_a_managed_job_is_called(node: Node) -> None:
    node.train(SKYPILOT_TASK_ID="sky-managed-1_a-4-0", SKYPILOT_MANAGED_JOB_ID="4")
    assert (node.variables["JOB_ID"], node.variables["JOB_MOVES"]) == ("sky-managed-1_a-4-0", "3")


@pytest.mark.parametrize("code", [0, 1, 2, 75, 143])
def test_exit_codes_are_the_jobs_own(node: Node, code: int) -> None:
    node.python(f'#!/bin/sh\n[ "$1" = -m ] && exit {code}\n')
    assert node.train().returncode == code


def test_no_shell_stands_between_the_service_and_the_job(node: Node) -> None:
    """A signal to the process that was started is a signal to the job."""
    node.python("#!/bin/bash\ntrap 'echo told; exit 143' TERM\necho started\nwhile :; do sleep 0.1; done\n")
    job = subprocess.Popen(["bash", TRAIN], env=node.environment(), stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None and job.stdout.readline() == "started\n"
    job.send_signal(signal.SIGTERM)
    assert job.communicate(timeout=PATIENCE)[0] == "told\n"
    assert job.returncode == 143


def test_a_machine_without_mesozoic_says_what_to_run(node: Node) -> None:
    (node.home / ".mesozoic" / "venv" / "bin" / "python").unlink()
    done = node.train()
    assert done.returncode == 2 and "bash cloud/node-setup.sh" in done.stderr


def test_each_of_several_machines_hears_which_one_it_is(node: Node) -> None:
    assert node.train().returncode == 0
    names = ("JOB_MACHINES", "JOB_RANK", "JOB_FIRST")
    assert [node.variables[name] for name in names] == ["1", "0", ""]
    ips = "10.0.0.4\n10.0.0.7\n10.0.0.5"
    assert node.train(SKYPILOT_NUM_NODES="3", SKYPILOT_NODE_RANK="2", SKYPILOT_NODE_IPS=ips).returncode == 0
    assert [node.variables[name] for name in names] == ["3", "2", "10.0.0.4"]


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
        python = (
            '#!/bin/bash\\n[[ "$2" == *devices* ]] && echo "${JAX_SEES:-cpu:0}"\\n'
            '[[ "$2" == *gpu_here* ]] && echo "${PROBLEM:-}"\\nexit 0\\n'
        )
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
    assert "JAX and Warp can use the GPU" in done.stdout


def test_setup_warns_when_the_gpu_is_of_no_use(machine: Machine) -> None:
    program(machine.programs / "nvidia-smi", NVIDIA_SMI)
    done = machine.setup(PROBLEM="Warp sees no CUDA device")
    assert done.returncode == 0 and "warning: the GPU cannot be used: Warp sees no CUDA device" in done.stdout


def test_the_extra_for_gpus_brings_cuda_and_warp_at_the_tested_versions() -> None:
    """All that `mjx-warp` needs, as what is not pinned may be anything on the day of the launch."""
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = " ".join(extras["cuda"])
    assert "jax[cuda12]" in wanted and "mujoco-mjx[warp]" in wanted
    pinned = {line.partition("==")[0] for line in (CHECKOUT / "constraints.txt").read_text().splitlines()}
    assert {"jax", "jaxlib", "mujoco-mjx", "warp-lang"} <= pinned


@pytest.mark.parametrize(
    ("physics", "extra"), [("auto", ".[sweep]"), ("native", ".[sweep]"), ("mjx-jax", ".[mjx,sweep]")]
)
def test_setup_installs_the_physics_that_is_asked_for(machine: Machine, physics: str, extra: str) -> None:
    machine.setup(PHYSICS=physics)
    assert machine.installs == [extra]


def test_a_gpu_brings_every_physics(machine: Machine) -> None:
    program(machine.programs / "nvidia-smi", NVIDIA_SMI)
    machine.setup(PHYSICS="mjx-jax")
    assert machine.installs == [".[cuda,sweep]"]


@pytest.mark.parametrize(("given", "platforms"), [("0", "cpu"), ("1", None), (None, None)])
def test_a_job_without_a_gpu_leaves_those_of_the_machine_alone(
    node: Node, given: str | None, platforms: str | None
) -> None:
    """A node of a Slurm cluster has GPUs that others use, and the training was checked and priced without one."""
    node.train(**({} if given is None else {"SKYPILOT_NUM_GPUS_PER_NODE": given}))
    assert node.variables.get("JAX_PLATFORMS") == platforms
    assert ("CUDA_VISIBLE_DEVICES" in node.variables) == (given == "0")


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho 'No devices were found'\n"])
def test_setup_with_the_tool_but_no_gpu(machine: Machine, text: str) -> None:
    program(machine.programs / "nvidia-smi", text)
    machine.setup()
    assert machine.installs == [".[sweep]"]


def test_setup_installs_the_learner_that_is_asked_for(machine: Machine) -> None:
    machine.setup(BACKEND="sb3")
    assert machine.installs == [".[sb3,sweep]"]


def test_setup_installs_what_a_task_needs_beside_the_hardware(machine: Machine) -> None:
    machine.setup(EXTRAS="vertex")
    assert machine.installs == [".[vertex,sweep]"]


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
