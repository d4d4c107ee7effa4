"""The Dockerfile: two targets, one unprivileged user, pinned packages, and nothing sent or copied that is not there."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

import mesozoic

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "scripts" / "image"
TARGETS = ("cpu", "cuda")

pytestmark = pytest.mark.skipif(not (ROOT / "Dockerfile").is_file(), reason="needs a checkout")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


dockerfile = load("dockerfile")
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = dockerfile.parse(TEXT)
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")


def final_steps(target: str, name: str) -> list:
    """The steps of that name which end up in the image, the last one to count last."""
    return [step for stage in dockerfile.lineage(STAGES, target) for step in stage.steps if step.name == name]


def environment(target: str) -> dict[str, str]:
    return {key: value for step in final_steps(target, "ENV") for key, value in step.pairs().items()}


def user(target: str, **arguments: str) -> str:
    """Who runs in the image; `arguments` are those of --build-arg."""
    step = final_steps(target, "USER")[-1]
    stage = next(one for one in STAGES.values() if step in one.steps)
    asked = {key: value for one in stage.steps if one.name == "ARG" for key, value in one.pairs().items()}
    return str(dockerfile.expand(step.value, {**asked, **arguments}))


@pytest.mark.parametrize("target", TARGETS)
def test_runs_mesozoic_without_privileges(target: str) -> None:
    assert final_steps(target, "ENTRYPOINT")[-1].words() == ["mesozoic"]
    assert user(target) == "1000:1000"
    assert final_steps(target, "WORKDIR")[-1].value == environment(target)["HOME"] == "/home/mesozoic"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_for_vertex_runs_as_root_and_reports_metrics(target: str) -> None:
    """The service's metrics file is root's; nothing else of the image depends on the argument."""
    assert user(target, RUN_AS="0:0") == "0:0"
    assert len(re.findall(r"\$\{?RUN_AS\b", TEXT)) == 1
    extras = re.search(r"^ARG EXTRAS=(.*)$", TEXT, re.MULTILINE)
    assert extras and "vertex" in extras[1].split(",")
    packages = [stage.name for stage in dockerfile.needed(STAGES, target) if stage.name.endswith("packages")]
    assert "cpu-packages" in packages


def test_plain_build_makes_the_cpu_image() -> None:
    assert list(STAGES)[-1] == "cpu"


def test_cuda_image_has_the_extra_and_asks_for_graphics() -> None:
    installs = [step.value for stage in dockerfile.needed(STAGES, "cuda") for step in stage.steps if step.name == "RUN"]
    assert any('".[cuda]"' in line for line in installs)
    assert not any(stage.name.startswith("cuda") for stage in dockerfile.needed(STAGES, "cpu"))
    assert {"compute", "utility", "graphics"} == set(environment("cuda")["NVIDIA_DRIVER_CAPABILITIES"].split(","))
    assert "NVIDIA_VISIBLE_DEVICES" not in environment("cpu")


def test_base_images_are_pinned_and_alike() -> None:
    bases = {stage.base for stage in STAGES.values()} - set(STAGES)
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases.pop())


def test_packages_are_pinned() -> None:
    """Every installation keeps to the constraints, or installs nothing but mesozoic itself."""
    installs = re.findall(r"pip (?:\S+ )*install .*", TEXT)
    assert len(installs) == 3
    assert all("-c constraints.txt" in line or "--no-deps" in line for line in installs)


@pytest.mark.parametrize("target", TARGETS)
def test_tools_that_build_stay_behind(target: str) -> None:
    """pip runs in stages that are only copied from."""
    lines = [step.value for step in final_steps(target, "RUN")]
    assert lines and not any(re.search(r"\bpip\b|gcc|build-essential", line) for line in lines)
    assert all("rm -rf /var/lib/apt/lists" in line for line in lines if "apt-get install" in line)


def test_render_libraries_are_those_that_mesozoic_names() -> None:
    from mesozoic.rendering.gl import INSTALL

    wanted = set(re.findall(r"lib\w+", INSTALL["linux"].replace("-", "_")))
    installed = {word.replace("-", "_") for step in final_steps("cpu", "RUN") for word in step.words()}
    assert len(wanted) >= 3
    assert wanted <= installed


def test_every_copied_path_is_there_and_sent() -> None:
    sent = dockerfile.sent_files(ROOT, IGNORE)
    copied = 0
    for stage in STAGES.values():
        for step in (step for step in stage.steps if step.name == "COPY"):
            *sources, _ = step.words()
            if "from" in step.flags:
                assert list(STAGES).index(step.flags["from"]) < list(STAGES).index(stage.name), str(step)
                continue
            for source in map(Path, sources):
                assert any(path == source or source in path.parents for path in sent), f"{step}: {source}"
                copied += 1
    assert copied >= 8


def test_nothing_private_or_large_is_sent(tmp_path: Path) -> None:
    wanted = {"pyproject.toml", "mesozoic/cli/app.py", "configs/trex/stage1.toml"}
    unwanted = {
        ".git/config",
        ".venv/bin/python",
        "venv/pyvenv.cfg",
        "runs/a/policy.zip",
        "wandb/run.log",
        ".env",
        ".netrc",
        "mesozoic/__pycache__/errors.cpython-311.pyc",
        "mesozoic/cli/__pycache__/app.cpython-311.pyc",
        "docs/picture.png",
        "tests/test_readme.py",
    }
    for name in wanted | unwanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {str(path) for path in dockerfile.sent_files(tmp_path, IGNORE)} == wanted


def test_configs_are_sent_whole() -> None:
    sent = {path for path in dockerfile.sent_files(ROOT, IGNORE) if path.parts[0] == "configs"}
    assert sent == {path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*") if path.is_file()}


def test_example_tags_name_this_version() -> None:
    tags = re.findall(r"mesozoic:(\S+)-(?:cpu|cuda)", TEXT)
    assert tags and set(tags) == {mesozoic.__version__}


@pytest.mark.parametrize(
    "text",
    [
        "RUN true",
        "FROM a",
        "FROM a AS b\nHEALTHCHECK CMD true",
        "FROM a AS b\nRUN --mount=type=cache,target=/x true",
        "FROM a AS b\nRUN <<EOF\ntrue\nEOF",
        "FROM a AS b\nRUN true \\",
        "FROM a AS b\nFROM a AS b",
    ],
)
def test_reader_refuses_what_it_would_misread(text: str) -> None:
    with pytest.raises(dockerfile.DockerfileError):
        dockerfile.parse(text)


def test_reader_joins_lines_and_expands_variables() -> None:
    stage = dockerfile.parse("FROM a AS b\nARG X=1\n# comment\nENV A=x \\\n  # inside\n  B='y z'\nUSER $X:${X}")["b"]
    assert [step.name for step in stage.steps] == ["ARG", "ENV", "USER"]
    assert stage.steps[1].pairs() == {"A": "x", "B": "y z"}
    assert dockerfile.expand(stage.steps[2].value, stage.steps[0].pairs()) == "1:1"


def test_check_image_says_what_to_type_without_root() -> None:
    words = ["bash", str(ROOT / "scripts" / "check_image.sh")]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
    if shutil.which(words[0]) is None:
        pytest.skip("cannot drop root here")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "sudo bash scripts/check_image.sh" in done.stderr


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("debootstrap") is None, reason="needs root and debootstrap"
)
CHECK = ["bash", str(ROOT / "scripts" / "check_image.sh")]


def left_behind(folder: Path) -> str:
    mounts = subprocess.run(["findmnt", "--list"], capture_output=True, text=True, check=True).stdout
    return "\n".join([*map(str, folder.iterdir()), *(line for line in mounts.splitlines() if str(folder) in line)])


@pytest.mark.e2e
@pytest.mark.root
@needs_root
def test_steps_execute_in_a_clean_root(tmp_path: Path) -> None:
    """The whole of scripts/check_image.sh: minutes, and package downloads."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(CHECK, env=environment, capture_output=True, text=True, check=False, timeout=7200)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "all checks passed" in done.stdout
    assert left_behind(tmp_path) == ""


@pytest.mark.e2e
@pytest.mark.root
@needs_root
def test_stopped_half_way_it_leaves_nothing(tmp_path: Path) -> None:
    script = subprocess.Popen(CHECK, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("*/base/*")) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert script.poll() is None, "it should still be making its clean Debian"
    script.send_signal(signal.SIGTERM)
    assert script.wait(timeout=60) == 143
    assert left_behind(tmp_path) == ""
