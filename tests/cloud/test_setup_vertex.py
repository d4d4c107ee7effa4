"""scripts/setup_vertex_ai.sh against a stand-in for gcloud and docker: looks first, creates once, says why not."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.google_stand_in import install

import mesozoic

CHECKOUT = Path(__file__).parents[2]
SCRIPT = CHECKOUT / "scripts" / "setup_vertex_ai.sh"
LIBRARIES = sorted((CHECKOUT / "scripts" / "vertex").glob("*.sh"))
IMAGE = "us-central1-docker.pkg.dev/my-project/mesozoic/mesozoic"
JOBS = "mesozoic-jobs@my-project.iam.gserviceaccount.com"
KEY = "k" * 40
TOOLS = ["bash", "cat", "date", "dirname", "env", "grep", "mktemp", "printf", "rm", "sed", "sleep", "timeout", "tr"]

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="needs a checkout")


class Project:
    """A Google Cloud project that is set up by the script."""

    def __init__(self, folder: Path, **state: Any) -> None:
        self.folder = folder
        self.file = install(folder / "bin", state)
        # What the smoke job calls: it records, and says the price on a dry run.
        mesozoic = folder / "bin" / "mesozoic"
        mesozoic.write_text(f'#!/bin/sh\necho "mesozoic $*" >>"{folder}/smoke"\nexit "${{SMOKE:-0}}"\n')
        mesozoic.chmod(0o755)

    def run(self, *options: str, answers: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "CLOUDSDK_"))}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        environment = {**kept, "PATH": path, "HOME": str(self.folder), "MESOZOIC_SETUP_PAUSES": "0 0 0", **variables}
        words = ["bash", str(SCRIPT), *options]
        return subprocess.run(words, env=environment, input=answers, capture_output=True, text=True, timeout=120)

    def ready(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = self.run("--project=my-project", "--yes", *options, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    @property
    def state(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.file.read_text())
        return loaded

    @property
    def changes(self) -> list[str]:
        """The commands so far that changed something."""
        looks = r" (describe|list|get-iam-policy|get-value|print-access-token|info)\b"
        return [line for line in self.state["calls"] if not re.search(looks, line)]

    @property
    def smoke(self) -> list[str]:
        file = self.folder / "smoke"
        return file.read_text().splitlines() if file.exists() else []


def test_an_empty_project_is_made_ready(tmp_path: Path) -> None:
    project = Project(tmp_path)
    done = project.ready(WANDB_API_KEY=KEY)
    made = set(project.state["made"])
    assert {f"{IMAGE}:{mesozoic.__version__}-cuda", "mesozoic", "gs://my-project-mesozoic", JOBS} <= made
    assert {"aiplatform.googleapis.com", "artifactregistry.googleapis.com", "secretmanager.googleapis.com"} <= made
    assert f"my-project: serviceAccount:{JOBS},roles/aiplatform.user" in made
    assert f"{JOBS}: user:someone@example.com,roles/iam.serviceAccountUser" in made
    assert f"mesozoic-wandb: serviceAccount:{JOBS},roles/secretmanager.secretAccessor" in made
    assert any("docker build" in line and "RUN_AS=0:0" in line for line in project.changes)
    dry, real = [line for line in project.smoke if "--help" not in line]
    assert dry == f"{real.removesuffix(' --wait --yes')} --dry-run"
    assert f"--service-account={JOBS}" in real and "--wandb-secret=mesozoic-wandb" in real
    assert "# ready" in done.stdout
    # The key is in the secret and nowhere else.
    state = project.state
    assert state.pop("secrets") == {"mesozoic-wandb": KEY}
    assert KEY not in done.stdout + done.stderr + json.dumps(state) + "".join(project.smoke)


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.ready("--no-smoke", WANDB_API_KEY=KEY)
    changes = project.changes
    done = project.ready("--no-smoke", WANDB_API_KEY=KEY)
    assert project.changes == changes and "everything is there already" in done.stdout


def test_what_was_cut_off_goes_on(tmp_path: Path) -> None:
    """A refusal half-way says what to type; typed again, what stands is left alone."""
    rule = {"match": "docker push", "say": "denied: quota", "code": 1, "times": 1}
    project = Project(tmp_path, rules=[rule])
    done = project.run("--project=my-project", "--yes", "--no-smoke")
    assert done.returncode == 1 and "type the same command to go on" in done.stderr
    before = len(project.changes)
    project.ready("--no-smoke")
    assert [line.split()[:2] for line in project.changes[before:]] == [
        ["gcloud", "auth"], ["docker", "build"], ["docker", "push"]]  # fmt: skip


def test_without_docker_it_builds_with_cloud_build(tmp_path: Path) -> None:
    project = Project(tmp_path, rules=[{"match": "docker info", "code": 1, "say": "Cannot connect to the daemon"}])
    project.ready("--no-smoke", "--target=cpu")
    (build,) = [line for line in project.changes if "builds submit" in line]
    assert "_TARGET=cpu,_IMAGE=" in build and "cloudbuild.googleapis.com" in project.state["made"]
    assert not any(line.startswith("docker") for line in project.changes)
    file = (CHECKOUT / re.search(r"--config=(\S+)", build)[1]).read_text()  # type: ignore[index]
    assert "RUN_AS=0:0" in file and "${_TARGET}" in file and "${_IMAGE}" in file


def test_what_needs_a_moment_is_tried_again(tmp_path: Path) -> None:
    """The service is busy, or what was just created is not known everywhere yet."""
    says = {
        "services enable": "UNAVAILABLE: The service is currently unavailable.",
        "repositories create": "PERMISSION_DENIED: Artifact Registry API has not been used in project 1 before",
        "projects add-iam": "INVALID_ARGUMENT: Service account mesozoic-jobs@x does not exist.",
        "accounts add-iam": "ABORTED: There were concurrent policy changes. Please retry",
    }
    rules = [{"match": match, "say": f"ERROR: (gcloud) {say}", "times": 2} for match, say in says.items()]
    project = Project(tmp_path, rules=rules)
    project.ready("--no-smoke")
    assert [rule["times"] for rule in project.state["rules"]] == [0, 0, 0, 0]


def test_an_answer_that_was_lost_is_no_failure(tmp_path: Path) -> None:
    """The bucket was created, the answer got lost: it exists already when it is asked for again."""
    lost = {"match": "buckets create", "say": "ERROR: 503 Service Unavailable", "times": 1, "done": True}
    project = Project(tmp_path, rules=[lost])
    project.ready("--no-smoke")
    assert project.state["made"].count("gs://my-project-mesozoic") == 1


def test_one_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """`timeout` is shortened here; the script's own limits are minutes."""
    project = Project(tmp_path, rules=[{"match": "projects describe", "sleep": 60}])
    quick = tmp_path / "bin" / "timeout"
    quick.write_text(f'#!/bin/sh\nshift 2\nexec {shutil.which("timeout")} --kill-after=1 0.5 "$@"\n')
    quick.chmod(0o755)
    done = project.run("--project=my-project", "--yes", MESOZOIC_SETUP_PAUSES=" ")
    assert done.returncode == 2 and "no answer" in done.stderr and project.changes == []


@pytest.mark.parametrize(("options", "words"), [
    (("--project=My_Project",), "no project id"),
    (("--project=my-project", "--region=us-central1-a"), "type its region: --region us-central1"),
    (("--project=my-project", "--region=moon"), "no region"),
    (("--project=my-project", "--bucket=gs://bucket/folder"), "no folder behind it"),
    (("--project=my-project", "--bucket=Bucket"), "no bucket's name"),
    (("--project=my-project", "--target=tpu"), "no image 'tpu'"),
    (("--project=my-project", "--build=podman"), "cannot build with 'podman'"),
    (("--project=my-project", "--service-account=a@b"), "no service account's name"),
    (("--project",), "--project needs a value"),
    (("--project", "--region"), "--project needs a value"),
    (("--proejct=my-project",), "no option '--proejct'"),
    ((), "no project"),
])  # fmt: skip
def test_bad_input_is_one_sentence(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    project = Project(tmp_path)
    done = project.run(*options, "--yes")
    assert done.returncode == 2 and project.changes == []
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and words in done.stderr


@pytest.mark.parametrize(("state", "words"), [
    ({"exists": "another-one"}, "no right to"),
    ({"billing": "False"}, "has no billing"),
    ({"location": "EU", "made": ["gs://my-project-mesozoic"]}, "lies in EU"),
    ({"rules": [{"match": "buckets describe", "say": "ERROR: someone@example.com does not have access to"
                 " the bucket: 403."}]}, "choose another --bucket"),
    ({"rules": [{"match": "auth list", "code": 0, "say": ""}]}, "gcloud auth login"),
    ({"rules": [{"match": "application-default", "say": "ERROR: no credentials"}]}, "application-default login"),
    ({"rules": [{"match": "services list", "say": "ERROR: Reauthentication failed"}]}, "gcloud auth login"),
    ({"rules": [{"match": "repositories describe", "code": 0, "say": "NPM"}],
      "made": ["artifactregistry.googleapis.com"]},
     "holds NPM"),
    ({"rules": [{"match": "service-accounts describe", "code": 0, "say": "True"}], "made": ["iam.googleapis.com"]},
     "is disabled"),
    ({"rules": [{"match": "docker info", "say": "Cannot connect"}]}, "--build cloud"),
])  # fmt: skip
def test_what_is_in_the_way_is_said_before_anything_is_created(
    tmp_path: Path, state: dict[str, Any], words: str
) -> None:
    project = Project(tmp_path, **state)
    done = project.run("--project=my-project", "--yes", *(["--build=docker"] if "--build" in words else []))
    assert done.returncode == 2 and project.changes == [], done.stdout
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and words in done.stderr


def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path) -> None:
    done = Project(tmp_path).run("--project=my-project", "--yes", WANDB_API_KEY="short-secret")
    assert done.returncode == 2 and "12 characters" in done.stderr and "short-secret" not in done.stderr


def test_a_refused_creation_says_whose_right_is_missing(tmp_path: Path) -> None:
    denied = "ERROR: (gcloud.services.enable) PERMISSION_DENIED: Permission denied to enable service"
    done = Project(tmp_path, rules=[{"match": "services enable", "say": denied}]).run("--project=my-project", "--yes")
    assert done.returncode == 1 and "someone@example.com has no right to" in done.stderr


def test_it_asks_what_it_is_not_told(tmp_path: Path) -> None:
    project = Project(tmp_path, project="my-project")
    # project, region, bucket, image, no key, create, no training
    done = project.run(answers="\neurope-west4\ngs://mine/\ncpu\n\ny\nn\n")
    assert done.returncode == 0, done.stderr
    assert {"gs://mine"} <= set(project.state["made"])
    assert any(one.startswith("europe-west4-docker.pkg.dev/") and one.endswith("-cpu") for one in project.state["made"])
    assert not any(line.endswith("--yes") for line in project.smoke)


@pytest.mark.parametrize("answers", ["", "\n\n\n\n\nn\n"])
def test_without_a_yes_nothing_is_created(tmp_path: Path, answers: str) -> None:
    project = Project(tmp_path, project="my-project")
    done = project.run(answers=answers)
    assert done.returncode == 2 and project.changes == []


def dry_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """On a machine that has neither gcloud nor docker nor mesozoic."""
    tools = folder / "tools"
    tools.mkdir(parents=True)
    for name in TOOLS:
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    words = [str(tools / "bash"), str(SCRIPT), "--project=my-project", "--dry-run", *options]
    environment = {"PATH": str(tools), "WANDB_API_KEY": KEY}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)


def test_a_dry_run_prints_what_a_real_one_types(tmp_path: Path) -> None:
    """Every command, as a shell script; the looks are comments in it."""
    done = dry_run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout
    (tmp_path / "script").write_text(done.stdout)
    subprocess.run(["bash", "-n", str(tmp_path / "script")], check=True)
    lines = [line.rpartition("| ")[2] for line in done.stdout.splitlines() if not line.startswith("#")]
    printed = [" ".join(shlex.split(line)) for line in lines if not line.startswith("mesozoic")]
    project = Project(tmp_path / "project")
    project.ready("--no-smoke", WANDB_API_KEY=KEY)
    typed = [line.replace("someone@", "you@") for line in project.changes]
    assert printed == typed and len(typed) > 10


@pytest.mark.e2e
def test_the_real_gcloud_knows_every_command_and_option(tmp_path: Path) -> None:
    """As somebody who is not signed in: it reads the command, then says so."""
    gcloud = shutil.which("gcloud") or pytest.skip("gcloud is not installed")
    both = dry_run(tmp_path / "a").stdout + dry_run(tmp_path / "b", "--build=cloud").stdout
    commands = sorted(set(re.findall(r"gcloud (?!auth).*", both)))
    assert len(commands) > 20
    environment = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]}
    for command in commands:
        words = [gcloud, *shlex.split(command)[1:], "--quiet"]
        done = subprocess.run(
            words, env=environment, cwd=CHECKOUT, input="", capture_output=True, text=True, timeout=60
        )
        assert "active account" in done.stderr, f"{command}\n{done.stderr}"


def test_the_scripts_are_clean() -> None:
    shellcheck = shutil.which("shellcheck") or pytest.skip("shellcheck is not installed")
    done = subprocess.run(
        [shellcheck, "-x", str(SCRIPT), *map(str, LIBRARIES)], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "set -euo pipefail" in SCRIPT.read_text() and len(LIBRARIES) == 2


def test_its_help_names_every_option(tmp_path: Path) -> None:
    done = Project(tmp_path).run("--help")
    options = set(re.findall(r"--[a-z][a-z-]+(?= *[|)])", SCRIPT.read_text()))
    assert done.returncode == 0 and len(options) > 10
    assert options <= set(re.findall(r"--[a-z][a-z-]+", done.stdout))
