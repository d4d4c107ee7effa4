"""The environment variables of a job: what each is called, means and becomes. The only table of them.

The task files in `cloud/`, `docs/cloud.md` and `mesozoic cloud launch` are tested against it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mesozoic.config import split_overrides
from mesozoic.errors import Problems, UserError, shown
from mesozoic.run.machines.hosts import Hosts
from mesozoic.run.spec import RunSpec
from mesozoic.run.words import read_path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Variable:
    """One environment variable.

    Attributes:
        default: what an empty or missing one means, and what task files set; empty: decided by `becomes`.
        meaning: one line for a person; the comment in the task files.
        becomes: what it sets in the specification of the run, or what else it does.
        option: the option of `mesozoic train` that says the same.
    """

    name: str
    default: str
    meaning: str
    becomes: str
    option: str = ""


VARIABLES = (
    Variable("SPECIES", "velociraptor", "velociraptor, trex or brachiosaurus", "species"),
    Variable("STAGE", "all", "all (one after the other), or 1 balance, 2 locomotion, 3 behaviour", "stages", "--stage"),
    Variable("TIMESTEPS", "", "budget of each stage in environment steps", "curriculum.timesteps", "--timesteps"),
    Variable("N_ENVS", "", "worlds simulated side by side", "stage.n_envs", "--n-envs"),
    Variable("BACKEND", "auto", "auto, jax or sb3", "backend", "--backend"),
    Variable("ALGORITHM", "ppo", "ppo; sb3 also has sac", "algorithm", "--algorithm"),
    Variable(
        "PHYSICS",
        "auto",
        "auto (mjx-warp on a GPU, for an animal with tables for it), native, mjx-warp or mjx-jax",
        "physics",
        "--physics",
    ),
    Variable("GPU_IDS", "", "GPUs of each machine for mjx-*: all, or such as 0,1; empty: one", "gpu_ids", "--gpu-ids"),
    Variable("SEED", "0", "decides everything random", "seed", "--seed"),
    Variable(
        "OVERRIDES",
        "",
        'section.key=value, separated by spaces; a value may be [64, 64] or "two words"',
        "stage configuration; TIMESTEPS and N_ENVS win",
        "--override",
    ),
    Variable(
        "LOAD", "", "policy file or run folder to start from: a path in RESULTS or the checkout", "load", "--load"
    ),
    Variable("RUN_NAME", "", "folder of the results; empty: SPECIES-stageSTAGE-seedSEED", "run folder", "--output-dir"),
    Variable(
        "MAX_HOURS",
        "",
        "hours, all machines together, after which it saves a checkpoint and ends; empty: no limit",
        "time limit",
    ),
    Variable("WANDB_PROJECT", "mesozoic", "W&B project; used if there is a key", "W&B"),
    Variable("WANDB_BASE_URL", "", "another W&B server than the public one", "W&B"),
    Variable("RESULTS", "", "where run folders go; empty: ~/mesozoic-runs on the machine", "folder of run folders"),
)
DEFAULTS = {variable.name: variable.default for variable in VARIABLES}
SECRET = "WANDB_API_KEY"
"""Not among `VARIABLES`, because it is handed over as a secret; with one, metrics go to W&B."""
JOB_ID = "JOB_ID"
"""Set by the service's shell script: stays the same when the service runs the job again on another machine."""
MOVES = "JOB_MOVES"
"""Set by the service's shell script: how often the service may be asked to run a job that crashed again."""
MACHINES, RANK, FIRST = "JOB_MACHINES", "JOB_RANK", "JOB_FIRST"
"""Set by the service's shell script for a job on several machines: how many, the number of this one, from 0, and the
address of the first."""


@dataclass(frozen=True)
class Job:
    """What the environment asks for; nothing but the form of the values is checked yet (see `run/problems.py`).

    Attributes:
        spec: the training. A policy in it is a path in the folder that holds `run`, or in the working folder.
        run: the run folder.
        max_hours: hours of the job on all its machines together; None: no limit.
        wandb: whether metrics go to W&B.
        job_id: empty where nothing runs the job again under the same name.
        hosts: this machine among those of the job; None if it has one only. The first one counts hours and crashes.
        moves: None where the service does not move jobs; else how many crashes it may answer with another machine.
    """

    spec: RunSpec
    run: Path
    max_hours: float | None = None
    wandb: bool = False
    job_id: str = ""
    moves: int | None = None
    hosts: Hosts | None = None

    @property
    def leads(self) -> bool:
        """Whether this machine has the run folder, and knows how the job goes."""
        return self.hosts is None or self.hosts.rank == 0


def read_job(environment: Mapping[str, str]) -> Job:
    """The job that `environment` asks for; variables that are empty count as missing.

    Raises:
        UserError: a sentence for each value that is not of its kind. Nothing was written.
    """
    given = {name: environment.get(name, "").strip() or default for name, default in DEFAULTS.items()}
    wrong: list[str] = []
    stage = given["STAGE"]
    if stage != "all" and not WHOLE.fullmatch(stage):
        wrong.append(f"STAGE={shown(stage)} is no stage; give --env STAGE=all or a number")
    for name, example in (("TIMESTEPS", 2000000), ("N_ENVS", 256), ("SEED", 0)):
        if given[name] and not WHOLE.fullmatch(given[name]):
            wrong.append(
                f"{name}={shown(given[name])} is not a whole number; give digits only, for example"
                f" --env {name}={example}"
            )
    run_name = given["RUN_NAME"] or f"{given['SPECIES']}-stage{stage}-seed{given['SEED'].lstrip('0') or 0}"
    if not NAME.fullmatch(run_name) and (given["RUN_NAME"] or not wrong):
        wrong.append(
            f"RUN_NAME={shown(run_name)} cannot name a folder; give letters, digits, '.', '_' and '-' only, 100 at most"
        )
    overrides: list[str] = []
    max_hours = None
    try:
        overrides = split_overrides(given["OVERRIDES"])
    except UserError as error:
        wrong.append(str(error))
    try:
        max_hours = read_hours(given["MAX_HOURS"])
    except UserError as error:
        wrong.append(str(error))
    hosts = None
    try:
        hosts = _hosts(environment, environment.get(JOB_ID, "") or run_name)
    except UserError as error:
        wrong.append(str(error))
    if wrong:
        raise Problems(wrong)
    follows = hosts is not None and hosts.rank > 0
    for name, path in (("TIMESTEPS", "curriculum.timesteps"), ("N_ENVS", "stage.n_envs")):
        if given[name]:
            overrides.append(f"{path}={int(given[name])}")
    results = read_path(given["RESULTS"]) if given["RESULTS"] else Path.home() / "mesozoic-runs"
    return Job(
        spec=RunSpec(
            species=given["SPECIES"],
            stage=None if stage == "all" else int(stage),
            seed=int(given["SEED"]),
            backend=given["BACKEND"],
            algorithm=given["ALGORITHM"],
            physics=given["PHYSICS"],
            gpu_ids=given["GPU_IDS"],
            overrides=tuple(overrides),
            load=read_path(given["LOAD"]) if given["LOAD"] else None,
        ),
        run=results / run_name,
        max_hours=None if follows else max_hours,
        wandb=bool(environment.get(SECRET)),
        job_id=environment.get(JOB_ID, ""),
        moves=None if follows else _moves(environment.get(MOVES, "")),
        hosts=hosts,
    )


def checkable(job: Job) -> RunSpec:
    """What another machine can check of the training: a policy that only the job's machine has is left out."""
    load = job.spec.load
    return job.spec if load is None or load.exists() else replace(job.spec, load=None)


def in_job_words(message: str) -> str:
    """A message about options of `mesozoic train`, for somebody who sets variables."""
    for variable in VARIABLES:
        if variable.option:
            message = re.sub(rf"{variable.option}\b(?![-_])", f"--env {variable.name}", message)
    return message


def read_hours(text: str) -> float | None:
    """A limit of time in hours; None if the text is empty.

    Raises:
        UserError: it is no number above 0.
    """
    if not text:
        return None
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours < math.inf:
        raise UserError(
            f"MAX_HOURS={shown(text)} is not a number of hours above 0; give for example --env MAX_HOURS=2.5"
        )
    return hours


def _hosts(environment: Mapping[str, str], job: str) -> Hosts | None:
    """This machine among those of a job on several.

    Raises:
        UserError: the service says of it what makes no sense.
    """
    count, rank = environment.get(MACHINES, "") or "1", environment.get(RANK, "") or "0"
    first = environment.get(FIRST, "").strip()
    if count == "1":
        return None
    if not (WHOLE.fullmatch(count) and WHOLE.fullmatch(rank) and int(rank) < int(count) and first):
        raise UserError(
            f"{MACHINES}={shown(count)}, {RANK}={shown(rank)} and {FIRST}={shown(first)} name no machine of a job;"
            f" the service sets them, for example {MACHINES}=2 {RANK}=0 {FIRST}=10.0.0.1"
        )
    return Hosts(int(rank), int(count), first, job)


def _moves(text: str) -> int | None:
    return int(text) if WHOLE.fullmatch(text) else None
