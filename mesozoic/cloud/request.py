"""What a user asks for, checked before anything is rented."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesozoic.cloud.names import check_name, unique_name
from mesozoic.cloud.offer import OTHER_MAKERS
from mesozoic.cloud.secrets import refuse_secrets
from mesozoic.cloud.trainings import Trainings, trainings_of
from mesozoic.errors import UserError, did_you_mean
from mesozoic.job.environment import checkable, read_job

CLOUDS = ("lambda", "gcp", "aws", "slurm")
TASK_FILE = Path("cloud/train.yaml")
MANAGED_FILE = Path("cloud/train-managed.yaml")


@dataclass(frozen=True)
class Gpus:
    """`A100:2` is two of them, `CPU:4` is no GPU and four cores."""

    name: str
    count: int

    @property
    def is_cpu(self) -> bool:
        return self.name == "CPU"

    @property
    def has_gpu(self) -> bool:
        """Whether these are NVIDIA GPUs."""
        return not self.is_cpu and not OTHER_MAKERS.match(self.name)

    def __str__(self) -> str:
        return f"{self.name}:{self.count}"


def parse_gpus(text: str) -> Gpus:
    """`A100`, `A100:1`, `A100-80GB:8` or `CPU:4`; no number means 1.

    Raises:
        UserError: it is none of these.
    """
    name, _, count = text.strip().partition(":")
    if not name or text.strip().endswith(":") or not re.fullmatch(r"[1-9][0-9]{0,3}|", count):
        raise UserError(f"--gpus '{text}' is not GPU[:N] with N of at least 1; type for example --gpus A100:1 or CPU:8")
    return Gpus("CPU" if name.upper() == "CPU" else name, int(count or 1))


def parse_infra(text: str) -> str:
    """`lambda`, `gcp/us-central1`, ...

    Raises:
        UserError: the cloud is not one of `CLOUDS`.
    """
    cloud = text.strip().partition("/")[0].lower()
    if cloud not in CLOUDS:
        raise UserError(f"unknown --infra '{text}'{did_you_mean(cloud, CLOUDS)} (known: {', '.join(CLOUDS)})")
    return cloud + text.strip()[len(cloud) :]


def parse_envs(texts: list[str]) -> dict[str, str]:
    """`NAME=value` pairs.

    Raises:
        UserError: one is not of that form, or carries a secret.
    """
    envs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"--env '{text}' is not NAME=value; type for example --env TIMESTEPS=2000000")
        envs[name] = value
    refuse_secrets(envs)
    return envs


def positive(value: float | None, option: str) -> float | None:
    """`value`, if it is a number above 0 or None.

    Raises:
        UserError: it is not.
    """
    if value is not None and not (math.isfinite(value) and value > 0):
        raise UserError(f"{option} {value:g} is not above 0; give a number such as {option} 2.5")
    return value


@dataclass(frozen=True)
class LaunchRequest:
    """All options of `mesozoic cloud launch`. Prices are dollars per hour, hours are hours of the job.

    Attributes:
        envs: settings to hand over beside those of the task file.
        trainings: the stages that will be trained, checked, by the kind of machine.
    """

    species: str = "velociraptor"
    stage: str = "all"
    file: Path | None = None
    gpus: Gpus | None = None
    infra: tuple[str, ...] = ()
    spot: bool = False
    managed: bool = False
    retry: bool = False
    max_hourly_cost: float | None = None
    max_cost: float | None = None
    max_hours: float | None = None
    envs: Mapping[str, str] = field(default_factory=dict)
    trainings: Trainings = field(default_factory=Trainings)
    name: str = ""
    """Of the cluster, or of the managed job."""

    @property
    def task_file(self) -> Path:
        return self.file or (MANAGED_FILE if self.managed else TASK_FILE)

    @property
    def run_name(self) -> str:
        return self.envs["RUN_NAME"]


def make_request(
    envs: Mapping[str, str],
    *,
    settings: Mapping[str, str] | None = None,
    species: str | None = None,
    stage: str | None = None,
    physics: str | None = None,
    gpu: bool | None = None,
    name: str | None = None,
    file: Path | None = None,
    gpus: str | None = None,
    infra: list[str] | None = None,
    spot: bool = False,
    managed: bool = False,
    retry: bool = False,
    max_hourly_cost: float | None = None,
    max_cost: float | None = None,
    max_hours: float | None = None,
) -> LaunchRequest:
    """Check all options against each other and fill in names.

    An option wins over the same thing in `envs`, that over the task file's `settings`, and that over the default.

    Args:
        gpu: whether the machine has an NVIDIA GPU; None: `gpus` says it, or the offers will.

    Raises:
        UserError: one of them cannot be, or the machine would refuse the training once it is paid for; a sentence
            for each thing that is wrong with it.
    """
    if managed and retry:
        raise UserError("a managed job waits for a machine by itself; leave --retry-until-up out")
    options = {"SPECIES": species, "STAGE": stage, "PHYSICS": physics}
    given = {**envs, **{name: value for name, value in options.items() if value}}
    limit = positive(max_hours, "--max-hours")
    if limit is not None:
        given["MAX_HOURS"] = f"{limit:g}"
    known = {**(settings or {}), **given}
    job = read_job({**known, "RUN_NAME": "run"})  # its name is checked below
    chosen = None if gpus is None else parse_gpus(gpus)
    if chosen is not None:
        gpu = chosen.has_gpu
    trainings = trainings_of(checkable(job), gpu)
    species, stage = job.spec.species, "all" if job.spec.stage is None else str(job.spec.stage)
    cluster = check_name(name or unique_name(f"{species}-{stage}"), "--name")
    run_name = check_name(known.get("RUN_NAME") or cluster.removeprefix("mesozoic-"), "RUN_NAME")
    return LaunchRequest(
        species=species,
        stage=stage,
        file=file,
        gpus=chosen,
        infra=tuple(parse_infra(one) for one in infra or ()),
        spot=spot,
        managed=managed,
        retry=retry,
        max_hourly_cost=positive(max_hourly_cost, "--max-hourly-cost"),
        max_cost=positive(max_cost, "--max-cost"),
        max_hours=job.max_hours,
        envs={**given, "SPECIES": species, "STAGE": stage, "RUN_NAME": run_name},
        trainings=trainings,
        name=cluster,
    )
