"""`mesozoic vertex`: the exact job and its price without an account, what is refused before, and a real training."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.vertex_buckets import Buckets
from support.vertex_server import IMAGE, PROJECT, VertexServer
from support.vertex_work import within

from mesozoic.cloud.ledger import open_launches
from mesozoic.cloud.vertex import follow, provider, submission
from mesozoic.cloud.vertex.client import read_spec
from mesozoic.files import read_json

Run = Callable[..., tuple[int, str]]
PLACE = ("--project", PROJECT, "--bucket", "bones", "--image", IMAGE)
TINY = ("--stage", "1", "--timesteps", "2048", "--n-envs", "16", "ppo.n_steps=16", "ppo.batch_size=128")
TINY_EVAL = ("curriculum.eval_episodes=64", "curriculum.eval_freq=2048")


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "BETWEEN", 0.05)
    monkeypatch.setattr(submission, "BETWEEN", 0.05)
    monkeypatch.setattr(follow, "PAUSE", 0.2)


BARE = """
import socket, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("google", "fsspec", "gcsfs", "hypertune"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
socket.socket.connect = None
from mesozoic.cli.app import main
main()
"""
"""The command line without Google's packages and without a network."""


def spec_of(out: str) -> Any:
    return json.loads(out[out.index("{\n") : out.rindex("}") + 1])


def variables(spec: Any) -> dict[str, str]:
    (pool,) = spec["jobSpec"]["workerPoolSpecs"]
    return {one["name"]: one["value"] for one in pool["containerSpec"]["env"]}


def test_a_dry_run_prints_the_job_as_it_would_be_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own type takes it; a job on a spot T4 with all that was asked for."""
    code, out = run(
        *("vertex", "submit", "trex", *PLACE, "--stage", "2", "--accelerator", "T4", "--spot", "--algorithm", "ppo"),
        *("--n-envs", "64", "--max-hours", "2", "--service-account", "dig@dig-site.iam.gserviceaccount.com"),
        *("--label", "team=raptors", "--load", "gs://bones/training/a/models/stage1_final.zip", "--seed", "3"),
        *("--wandb-secret", "wandb-key", "--ppo.learning_rate", "1e-4", "--dry-run"),
    )
    assert code == 0 and "dry run: nothing was submitted" in out
    spec = spec_of(out)
    job = read_spec("custom job", spec)._pb.job_spec
    (pool,) = job.worker_pool_specs
    assert pool.machine_spec.machine_type == "n1-standard-8" and pool.machine_spec.accelerator_count == 1
    assert (job.scheduling.strategy, job.scheduling.restart_job_on_worker_restart) == (5 - 1, True)
    assert job.scheduling.timeout.seconds == 3 * 3600 and job.service_account == "dig@dig-site.iam.gserviceaccount.com"
    assert (pool.container_spec.image_uri, list(pool.container_spec.args)) == (IMAGE, ["job"])
    given = variables(spec)
    wanted = {"SPECIES": "trex", "STAGE": "2", "N_ENVS": "64", "SEED": "3", "MAX_HOURS": "2", "JOB_MOVES": "3"}
    assert wanted.items() <= given.items() and given["OVERRIDES"] == "ppo.learning_rate=0.0001"
    assert (
        given["RESULTS"] == "/gcs/bones/training" and given["LOAD"] == "/gcs/bones/training/a/models/stage1_final.zip"
    )
    assert given["WANDB_KEY_SECRET"] == f"projects/{PROJECT}/secrets/wandb-key/versions/latest"
    assert "WANDB_API_KEY" not in given and spec["labels"]["team"] == "raptors"
    assert spec["jobSpec"]["baseOutputDirectory"]["outputUriPrefix"] == f"gs://bones/training/{given['RUN_NAME']}"
    assert "$0.84/h" in out and "total: about $1.82" in out and "2026-10-07" in out and open_launches() == {}


@pytest.mark.parametrize("bucket", ["bones", "gs://bones", "gs://bones/", "/gcs/bones", "gs://bones/training"])
def test_a_bucket_is_written_with_and_without_its_scheme(run: Run, bucket: str) -> None:
    arguments = ("vertex", "submit", "--project", PROJECT, "--image", IMAGE, "--name", "dig", "--dry-run")
    spec = spec_of(run(*arguments, "--bucket", bucket)[1])
    assert spec["jobSpec"]["baseOutputDirectory"]["outputUriPrefix"] == "gs://bones/training/dig"


def test_all_species_are_a_job_each(run: Run) -> None:
    code, out = run("vertex", "submit", "--species", "all", *PLACE, "--name", "dig", "--dry-run")
    names = [f"custom job dig-{one}" for one in ("brachiosaurus", "trex", "velociraptor")]
    assert code == 0 and all(name in out for name in names) and out.count('"args"') == 3


def test_a_dry_run_needs_no_google_package_and_no_account(tmp_path: Path) -> None:
    """Also importing the command line loads nothing of Google's."""
    words = ["vertex", "submit", *PLACE, "--dry-run"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(Path(follow.__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", BARE, *words], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and '"displayName"' in done.stdout, done.stderr
    words.remove("--dry-run")
    done = subprocess.run(
        [sys.executable, "-P", "-c", BARE, *words], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and "pip install 'mesozoic[vertex]'" in done.stderr and done.stderr.count("\n") == 1


def test_the_key_stands_in_the_job_only_if_asked_for_and_is_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "0123456789abcdef" * 3
    monkeypatch.setenv("WANDB_API_KEY", key)
    code, out = run("vertex", "submit", *PLACE, "--wandb", "--dry-run")
    assert code == 0 and key not in out and "[secret]" in out and "warning: the W&B key" in out
    code, out = run("vertex", "submit", *PLACE, "--dry-run")
    assert "WANDB_API_KEY" not in out and "[secret]" not in out
    code, out = run("vertex", "submit", *PLACE, "--wandb-secret", f"{key}!", "--dry-run")
    assert code == 2 and key not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--project", ""), "which Google Cloud project"),
        (("--project", "Dig Site"), "is not the id of a project"),
        (("--region", "mars"), "is not a region"),
        (("--bucket", ""), "which bucket"),
        (("--bucket", "s3://bones"), "names no bucket"),
        (("--bucket", "gs://bones/../x"), "has a folder"),
        (("--image", ""), "which container image"),
        (("--image", "not an image"), "is no name of an image"),
        (("--accelerator", "T5"), "did you mean 'T4'"),
        (("--machine-type", "g2-standard-8", "--accelerator", "None"), "always has a GPU"),
        (("--service-account", "me"), "is no service account"),
        (("--label", "Team=A"), "is not key=value"),
        (("--retry-after", "soon"), "is no list of seconds"),
        (("--load", "policy.zip"), "is not in a bucket"),
        (("--timeout", "0"), "--timeout"),
        (("--max-cost", "1"), "--max-cost needs --max-hours"),
        (("--max-hours", "2", "--max-cost", "0.1"), "is below every offer"),
        (("--max-hourly-cost", "0.1"), "is below every offer"),
        (("--machine-type", "n9-mega-8", "--max-hourly-cost", "5"), "needs a price"),
        (("--name", "a/b"), "is not usable"),
        (("--stage", "9"), "stage 9"),
        (("ppo.learning_rat=1",), "did you mean"),
        (("--algorithm", "sac", "--backend", "jax"), "sac"),
        (("--physics", "mjx-warp"), "NVIDIA GPU"),
        (("trex", "--species", "trex"), "two species"),
        (("trx",), "did you mean 'trex'"),
        (("--n-env", "64"), "did you mean"),
    ],
)
def test_what_cannot_be_is_one_sentence_before_anybody_is_asked(
    server: VertexServer, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    code, out = run("vertex", "submit", *PLACE, *arguments, "--yes")
    assert (code, out.count("error:")) == (2, 1) and said in out, out
    assert server.operations == [] and server.jobs == [] and open_launches() == {}


def test_several_mistakes_of_a_training_are_all_said(server: VertexServer, run: Run) -> None:
    code, out = run("vertex", "submit", *PLACE, "ppo.gamma=2", "ppo.n_steps=0", "--yes")
    assert code == 2 and "2 things are wrong" in out and server.operations == []


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("no image", "there is no image"),
        ("no bucket", "gcloud storage buckets create gs://fossils --location=us-central1"),
        ("no policy", "gcloud storage cp FILE gs://bones/none.zip"),
        ("api off", "gcloud services enable aiplatform.googleapis.com"),
        ("no quota", "the quota of T4 in us-central1 is 0, and 1 are wanted"),
        ("no secret", "gcloud secrets create wandb-key"),
        ("no project", "there is no project 'other-site'"),
    ],
)
def test_what_the_service_would_swallow_is_found_before(
    server: VertexServer, buckets: Buckets, run: Run, case: str, said: str
) -> None:
    more: dict[str, tuple[str, ...]] = {
        "no image": ("--image", IMAGE.replace(":test", ":old")),
        "no bucket": ("--bucket", "fossils"),
        "no policy": ("--load", "gs://bones/none.zip"),
        "no quota": ("--accelerator", "T4"),
        "no secret": ("--wandb-secret", "wandb-key"),
        "no project": ("--project", "other-site"),
    }
    if case == "api off":
        server.google.apis_off = {"aiplatform.googleapis.com"}
    server.google.quotas = {"custom_model_training_nvidia_t4_gpus": 0, "custom_model_training_nvidia_l4_gpus": 9}
    code, out = run("vertex", "submit", *PLACE, *more.get(case, ()), "--yes")
    assert code == 2 and said in out and "error:" in out, out
    assert server.jobs == [] and open_launches() == {}


def test_a_bucket_far_away_is_refused(server: VertexServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Buckets(server.gcs, "bones", location="EUROPE-WEST4") as buckets:
        for name, value in buckets.environment().items():
            monkeypatch.setenv(name, value)
        code, out = run("vertex", "submit", *PLACE, "--yes")
    assert code == 2 and "lies in europe-west4 and the job would run in us-central1" in out and server.jobs == []


def test_what_may_not_be_looked_at_is_a_note(server: VertexServer, buckets: Buckets, run: Run) -> None:
    server.google.forbidden = {"services", "repositories"}
    server.images["us-central1-docker.pkg.dev/dig-site/mesozoic/mesozoic:test"] = ("true",)
    code, out = run("vertex", "submit", *PLACE, "--yes", "--wait")
    assert code == 0 and "note: which APIs are on could not be checked" in out and "ended: SUCCEEDED" in out


def test_it_asks_first(server: VertexServer, buckets: Buckets, run: Run) -> None:
    code, out = run("vertex", "submit", *PLACE)
    assert code == 2 and "cannot be asked without a terminal; add --yes" in out and server.jobs == []


@pytest.mark.e2e
def test_a_training_in_the_cloud_from_the_price_to_the_policy_at_home(
    server: VertexServer, buckets: Buckets, run: Run, tmp_path: Path
) -> None:
    """A real training in a process, its files in the bucket, its lines in the log, its policy brought home."""
    code, out = run("vertex", "submit", "trex", *PLACE, *TINY, *TINY_EVAL, "--name", "mesozoic-dig", "--yes", "--wait")
    assert code == 0 and "ended: SUCCEEDED" in out and "job: files go to" in out, out
    assert run("vertex", "list")[1].startswith("1000  mesozoic-dig  custom job  SUCCEEDED")
    assert "results in gs://bones/training/dig" in run("vertex", "status", "dig")[1]
    assert json.loads(run("vertex", "status", "--json")[1])["state"] == "SUCCEEDED"
    assert "job: files go to" in run("vertex", "logs", "1000", "--no-follow")[1]
    buckets.sync()
    home = tmp_path / "home"
    code, out = run("vertex", "download", "dig", "--output", str(home))
    assert code == 0 and f"mesozoic eval {home}" in out
    assert read_json(home / "stage1" / "metrics.json", 1 << 20)["timesteps"] >= 2048
    assert "copying 0 of" in run("vertex", "download", "dig", "--output", str(home))[1]
    other = run("vertex", "download", "dig", "--output", str(tmp_path))
    assert other[0] == 2 and "holds another run already" in other[1]
    assert "has ended: SUCCEEDED" in run("cloud", "status")[1]
    code, out = run("cloud", "cost", "--spent")
    assert code == 0 and "mesozoic-dig" in out and "n1-standard-8" in out


@pytest.mark.e2e
def test_a_preempted_training_goes_on_from_its_checkpoint(server: VertexServer, buckets: Buckets, run: Run) -> None:
    longer = ("--timesteps", "2000000", "curriculum.save_freq=1024")
    code, out = run("vertex", "submit", "trex", *PLACE, *TINY, *longer, "--spot", "--name", "dig", "--yes")
    assert code == 0, out
    folder = server.gcs / "bones" / "training" / "dig"
    assert within(120, lambda: any(folder.glob("stage1/checkpoints/*.checkpoint"))), list(folder.rglob("*"))
    server.preempt("dig", grace=60)
    box = server.job("dig").container(None)
    assert within(60, lambda: box.machines == 2)
    assert within(90, lambda: b"going on from the checkpoint at" in box.log.read_bytes()), box.log.read_text()
    code, out = run("vertex", "cancel", "dig", "--yes")
    assert code == 0 and "dig is down" in out and server.job("dig").state == "CANCELLED"
    assert read_json(folder / "job.json", 1 << 20)["state"] == "stopped"


def test_a_key_in_secret_manager_reaches_the_training_and_not_the_specification(
    server: VertexServer, buckets: Buckets, run: Run
) -> None:
    key = "fedcba9876543210" * 3
    server.google.secrets["wandb-key"] = key
    server.images[IMAGE] = (sys.executable, "-P", "-c", KEY_SHOWN)
    code, out = run("vertex", "submit", *PLACE, "--wandb-secret", "wandb-key", "--yes", "--wait")
    assert code == 0 and f"the key ends with {key[-4:]}" in out
    assert key not in str(server.job().proto)


KEY_SHOWN = """
import os
from mesozoic.job.on_vertex import on_vertex
print("the key ends with", on_vertex(os.environ)["WANDB_API_KEY"][-4:])
"""


def test_a_failing_job_ends_the_command_with_1(server: VertexServer, buckets: Buckets, run: Run) -> None:
    server.images[IMAGE] = ("false",)
    code, out = run("vertex", "submit", *PLACE, "--no-restart", "--yes", "--wait")
    assert code == 1 and "ended: FAILED: The replica workerpool0-0 exited with a non-zero status of 1" in out


def test_one_of_several_that_fails_leaves_the_others_known(server: VertexServer, buckets: Buckets, run: Run) -> None:
    """The first is submitted, the second is refused: the command says so, and what runs is seen and can be ended."""
    server.images[IMAGE] = ("sh", "-c", "exec sleep 60")
    server.faults.add("refuse", status=403, method="POST", part="customJobs", after=1)
    code, out = run("vertex", "submit", "--species", "all", *PLACE, "--name", "dig", "--yes")
    assert code == 2 and "dig-brachiosaurus) is submitted" in out and "the launch of dig-trex failed" in out
    assert server.running() == ["dig-brachiosaurus"]
    shown = run("cloud", "status")[1]
    assert "dig-brachiosaurus" in shown and "dig-trex" not in shown
    code, out = run("vertex", "submit", "--species", "all", *PLACE, "--name", "dig", "--yes")
    assert code == 2 and "already; give another --name" in out and len(server.jobs) == 1
    assert run("cloud", "down", "--all", "--yes")[0] == 0 and server.running() == []


def test_all_species_run_side_by_side(server: VertexServer, buckets: Buckets, run: Run) -> None:
    server.images[IMAGE] = ("sh", "-c", "exec sleep 60")
    assert run("vertex", "submit", "--species", "all", *PLACE, "--name", "dig", "--yes")[0] == 0
    assert len(server.running()) == 3
    assert run("cloud", "down", "--all", "--yes")[0] == 0 and server.running() == []
