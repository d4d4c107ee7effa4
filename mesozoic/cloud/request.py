"""What a user asks for, checked before anything is rented."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesozoic.cloud.names import check_name, unique_name
from mesozoic.cloud.secrets import refuse_secrets
from mesozoic.errors import UserError, did_you_mean

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
    """All options of `mesozoic cloud launch`. Prices are dollars per hour, hours are hours of the job."""

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
    name: str = ""
    """Of the cluster, or of the managed job."""

    @property
    def task_file(self) -> Path:
        return self.file or (MANAGED_FILE if self.managed else TASK_FILE)

    @property
    def run_name(self) -> str:
        return self.envs["RUN_NAME"]

    @property
    def stages(self) -> tuple[int, ...]:
        return (1, 2, 3) if self.stage == "all" else (int(self.stage),)

    def overrides(self) -> list[str]:
        """The overrides of the stage files, as `mesozoic train --override` takes them."""
        from mesozoic.config import split_overrides

        found = split_overrides(self.envs.get("OVERRIDES", ""))
        if self.envs.get("TIMESTEPS"):
            found.append(f"curriculum.timesteps={self.envs['TIMESTEPS']}")
        if self.envs.get("N_ENVS"):
            found.append(f"stage.n_envs={self.envs['N_ENVS']}")
        return found


def make_request(
    envs: Mapping[str, str],
    *,
    species: str | None = None,
    stage: str | None = None,
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
    """Check all options against each other and fill in names; an option wins over the same thing in `envs`.

    Raises:
        UserError: one of them cannot be.
    """
    species = species or envs.get("SPECIES") or "velociraptor"
    stage = stage or envs.get("STAGE") or "all"
    if stage not in ("all", "1", "2", "3"):
        raise UserError(f"--stage '{stage}' is none of 1, 2, 3 or all; type for example --stage 1")
    if managed and retry:
        raise UserError("a managed job waits for a machine by itself; leave --retry-until-up out")
    limit = positive(max_hours, "--max-hours")
    cluster = check_name(name or unique_name(f"{species}-{stage}"), "--name")
    run_name = check_name(envs.get("RUN_NAME") or cluster.removeprefix("mesozoic-"), "RUN_NAME")
    chosen = {**envs, "SPECIES": species, "STAGE": stage, "RUN_NAME": run_name}
    if limit is not None:
        chosen["MAX_HOURS"] = f"{limit:g}"
    elif envs.get("MAX_HOURS"):
        limit = positive(_number(envs["MAX_HOURS"]), "--max-hours")
    request = LaunchRequest(
        species=species,
        stage=stage,
        file=file,
        gpus=None if gpus is None else parse_gpus(gpus),
        infra=tuple(parse_infra(one) for one in infra or ()),
        spot=spot,
        managed=managed,
        retry=retry,
        max_hourly_cost=positive(max_hourly_cost, "--max-hourly-cost"),
        max_cost=positive(max_cost, "--max-cost"),
        max_hours=limit,
        envs=chosen,
        name=cluster,
    )
    check_training(request)
    return request


def check_training(request: LaunchRequest) -> None:
    """Refuse here what the machine would refuse once it is paid for: an unknown animal, stage or override.

    Raises:
        UserError: training cannot start like this.
    """
    from mesozoic.config import parse_overrides
    from mesozoic.species import get_species, load_stage

    for name in ("TIMESTEPS", "N_ENVS", "SEED"):
        value = request.envs.get(name, "")
        if value and not value.isdigit():
            raise UserError(f"{name} '{value}' is not a whole number; give digits only, for example --env {name}=256")
    get_species(request.species)
    overrides = parse_overrides(request.overrides())
    for stage in request.stages:
        config = load_stage(request.species, stage, overrides)
        if request.envs.get("ALGORITHM", "ppo") == "ppo":
            config.check_ppo_batches()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"MAX_HOURS '{text}' is not a number of hours; type for example --max-hours 2.5") from None
