"""Every task file means to SkyPilot what it should, on every cloud, and the variants stay alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import mesozoic
from mesozoic.job.exit_codes import AGAIN

CLOUD = Path(__file__).parents[2] / "cloud"
TRAINING = ("train", "train-docker", "train-managed")
OURS = (*TRAINING, "sweep-cluster")
BUCKET = {"BUCKET": "some-bucket"}

pytestmark = pytest.mark.skipif(not CLOUD.is_dir(), reason="needs a checkout")


def text(name: str) -> str:
    return (CLOUD / f"{name}.yaml").read_text(encoding="utf-8")


def content(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text(name))
    return loaded


def task(sky: Any, name: str, **envs: str) -> Any:
    return sky.task(name, **(BUCKET if name == "train-managed" else {}), **envs)


@pytest.mark.parametrize(
    ("name", "enabled", "machine", "accelerators", "price"),
    [
        ("train", ["lambda"], "gpu_1x_a10", {"A10": 1}, 1.0),
        ("train", ["gcp"], "g2-standard-8", {"L4": 1}, 1.25),
        ("train", ["aws"], "g6.2xlarge", {"L4": 1}, 1.5),
        ("train", ["lambda", "gcp", "aws"], "gpu_1x_a10", {"A10": 1}, 1.0),
        ("train-docker", ["lambda"], "gpu_1x_a10", {"A10": 1}, 1.0),
        ("train-docker", ["gcp"], "g2-standard-8", {"L4": 1}, 1.25),
        ("train-docker", ["aws"], "g6.2xlarge", {"L4": 1}, 1.5),
        ("train-managed", ["gcp"], "n1-highmem-8", {"T4": 1}, 0.27),
        ("train-managed", ["aws"], "g4dn.2xlarge", {"T4": 1}, 0.4),
        ("train-managed", ["lambda", "gcp", "aws"], "n1-highmem-8", {"T4": 1}, 0.27),
        ("sweep-cluster", ["lambda"], "gpu_1x_a10", {"A10": 1}, 1.0),
        ("sweep-cluster", ["gcp"], "g2-standard-8", {"L4": 1}, 1.25),
        ("sweep-cluster", ["aws"], "g6.2xlarge", {"L4": 1}, 1.5),
    ],
)
def test_what_is_rented(
    sky_offline: Any,
    at_checkout: Path,
    name: str,
    enabled: list[str],
    machine: str,
    accelerators: dict[str, int],
    price: float,
) -> None:
    """By SkyPilot's own optimizer, at the prices in `catalogs/`."""
    best = sky_offline.best(task(sky_offline, name), enabled)
    assert (best.instance_type, best.accelerators) == (machine, accelerators)
    assert best.get_cost(3600) == pytest.approx(price)
    assert best.use_spot == (name == "train-managed")
    assert (best.autostop_config.enabled, best.autostop_config.idle_minutes, best.autostop_config.down) == (
        True,
        5,
        True,
    )


NEEDED = {"PROJECT": "my-project", "BUCKET": "some-bucket", "IMAGE": "some-image"}


@pytest.mark.parametrize("enabled", ["gcp", "aws"])
def test_what_watches_over_a_sweep_is_small_and_ends_itself(sky_offline: Any, at_checkout: Path, enabled: str) -> None:
    task = sky_offline.task("orchestrator", **NEEDED)
    assert {(one.cpus, one.memory, one.accelerators) for one in task.resources} == {("2+", "4+", None)}
    best = sky_offline.best(task, [enabled])
    assert best.accelerators is None
    assert (best.autostop_config.idle_minutes, best.autostop_config.down, best.use_spot) == (5, True, False)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_watches_over_a_sweep_needs_to_know_where(sky_offline: Any, at_checkout: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is None. Please set a value"):
        sky_offline.task("orchestrator", **{key: value for key, value in NEEDED.items() if key != name})


@pytest.mark.parametrize(("gpus", "enabled", "machine"), [
    ("A100:1", "lambda", "gpu_1x_a100_sxm4"),
    ("A100:8", "lambda", "gpu_8x_a100"),
    ("A100:1", "gcp", "a2-highgpu-1g"),
    ("A100:8", "aws", "p4d.24xlarge"),
])  # fmt: skip
def test_gpus_of_the_users_choice(sky_offline: Any, at_checkout: Path, gpus: str, enabled: str, machine: str) -> None:
    """As `sky launch --gpus` and `--infra` change the file."""
    from sky.utils.registry import CLOUD_REGISTRY

    chosen = task(sky_offline, "train")
    place = {"cloud": CLOUD_REGISTRY.from_str(enabled), "region": None, "zone": None}
    chosen.set_resources_override({"accelerators": gpus, **place})
    assert sky_offline.best(chosen).instance_type == machine


def test_a_cloud_without_spot_machines_is_refused(sky_offline: Any, at_checkout: Path) -> None:
    from sky.exceptions import ResourcesUnavailableError

    with pytest.raises(ResourcesUnavailableError, match=r"requires .*(aws|gcp)"):
        sky_offline.best(task(sky_offline, "train-managed"), ["lambda"])


def test_the_last_resort_is_any_node_of_a_slurm_cluster(sky_offline: Any, at_checkout: Path) -> None:
    """Where Slurm is all there is, and has no GPU, `sky launch cloud/train.yaml` finds a machine all the same."""
    for name in ("train", "sweep-cluster"):
        last = task(sky_offline, name).resources[-1]
        assert (str(last.cloud), last.accelerators) == ("Slurm", None)


@pytest.mark.parametrize("name", OURS)
def test_every_candidate_is_terminated_when_idle(sky_offline: Any, at_checkout: Path, name: str) -> None:
    candidates = list(task(sky_offline, name).resources)
    assert len(candidates) >= 5
    for one in candidates:
        assert (one.autostop_config.idle_minutes, one.autostop_config.down) == (5, True), one


@pytest.mark.parametrize("name", TRAINING)
def test_it_launches_without_wandb(sky_offline: Any, at_checkout: Path, name: str) -> None:
    """A null secret would be parsed as well, and fail when the machine is rented."""
    loaded = task(sky_offline, name)
    assert content(name)["secrets"] == {"WANDB_API_KEY": ""}
    assert [key for key in loaded.envs if "KEY" in key or "PASSWORD" in key] == []
    loaded.validate()


def test_a_managed_job_survives_its_machine(sky_offline: Any, at_checkout: Path) -> None:
    from sky.data.storage import StorageMode

    loaded = task(sky_offline, "train-managed")
    ((mount, storage),) = loaded.storage_mounts.items()
    assert mount == loaded.envs["RESULTS"]
    assert (storage.name, storage.mode) == ("some-bucket", StorageMode.MOUNT_CACHED)
    assert storage.persistent
    for one in loaded.resources:
        codes = one.job_recovery["recover_on_exit_codes"]
        assert codes == [AGAIN]
        assert one.job_recovery["max_restarts_on_errors"] == 0  # it would rent again for bad input, and after MAX_HOURS


def test_a_managed_job_without_a_bucket_is_refused(sky_offline: Any, at_checkout: Path) -> None:
    with pytest.raises(ValueError, match=r"'BUCKET' is None. Please set a value"):
        sky_offline.task("train-managed")


def test_the_image_has_the_tag_of_this_version(sky_offline: Any, at_checkout: Path) -> None:
    for one in task(sky_offline, "train-docker").resources:
        assert one.extract_docker_image() == f"mesozoic:{mesozoic.__version__}-cuda"


def test_envs_reach_the_task(sky_offline: Any, at_checkout: Path) -> None:
    loaded = task(sky_offline, "train", SPECIES="trex", N_ENVS="64")
    assert (loaded.envs["SPECIES"], loaded.envs["N_ENVS"], loaded.envs["STAGE"]) == ("trex", "64", "all")


@pytest.mark.parametrize("name", TRAINING)
def test_variants_differ_in_machine_and_mounts_alone(name: str) -> None:
    one, reference = content(name), content("train")
    for part in ("resources", "file_mounts", "name"):
        one.pop(part, None), reference.pop(part, None)
    assert one["envs"].pop("BUCKET", None) is None
    if name == "train-managed":
        assert one["envs"].pop("RESULTS") == "/mesozoic-results"
        del reference["envs"]["RESULTS"]
    assert one == reference


def test_a_sweeps_machine_is_a_trainings_machine() -> None:
    cluster, reference = content("sweep-cluster"), content("train")
    assert "run" not in cluster
    for part in ("resources", "setup", "workdir"):
        assert cluster[part] == reference[part]


@pytest.mark.parametrize("name", [*OURS, "orchestrator"])
def test_each_file_says_what_it_is_for_and_why(name: str) -> None:
    header, _, body = text(name).partition("\n\n")
    assert all(line.startswith("#") for line in header.splitlines())
    assert re.search(rf"^#   sky (jobs )?launch cloud/{name}\.yaml", header, re.MULTILINE), "no line to copy"
    assert max(map(len, text(name).splitlines())) <= 120
    lines = body.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"(workdir|file_mounts|envs|secrets|setup|run):", line):
            assert lines[number - 1].startswith("# "), f"no reason for: {line}"
        if re.match(r"  (image_id|use_spot|disk_size|any_of|ordered):", line):
            assert lines[number - 1].startswith("  # "), f"no reason for: {line}"
