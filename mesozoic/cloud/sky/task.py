"""Turns a request into SkyPilot's task: the task file's candidates narrowed down, settings set, secrets handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesozoic.cloud.estimate import IDLE_MINUTES
from mesozoic.cloud.request import Gpus, LaunchRequest
from mesozoic.cloud.secrets import refuse_secrets
from mesozoic.cloud.sky.accelerators import canonical_name, with_canonical_names
from mesozoic.cloud.sky.client import Cluster
from mesozoic.cloud.sky.sky_errors import import_sky, plain_errors
from mesozoic.errors import UserError, did_you_mean
from mesozoic.learn.gpu_ids import numbers_in
from mesozoic.learn.kinds import AUTO
from mesozoic.redact import password_in
from mesozoic.sim.physics import PHYSICS
from mesozoic.sweep.wandb_account import PUBLIC_SERVER, server, wandb_key


def find_checkout(start: Path | None = None) -> Path:
    """The checkout that `start` (default: the working directory) lies in.

    Raises:
        UserError: it lies in none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "cloud" / "train.yaml").is_file():
            return folder
    raise UserError(f"no cloud/train.yaml in {here} or above; cd into a checkout of mesozoic and type it again")


def load_task(file: Path, envs: Mapping[str, str]) -> Any:
    """The task of a file of the checkout, with its settings; its workdir is the checkout, from wherever it is called.

    Raises:
        UserError: no such file, it has no knob of one of these names, or a knob that must be set is not.
    """
    sky = import_sky()
    config = _read(file)
    with plain_errors():
        _check_settings(file, config.get("envs") or {}, envs)
        task = sky.Task.from_yaml_config(config, env_overrides=list(envs.items()))
        if task.workdir == ".":
            task.workdir = str(find_checkout())
        task.set_resources(type(task.resources)(with_canonical_names(one) for one in task.resources))
        _hand_over_secrets(task)
    return task


def settings_of(file: Path) -> dict[str, str]:
    """What a task file sets under `envs`, empty where it leaves a setting open.

    Raises:
        UserError: no such file, or it is no task file.
    """
    return {str(name): "" if value is None else str(value) for name, value in (_read(file).get("envs") or {}).items()}


def check_machines(task: Any, file: Path) -> None:
    """Refuse several machines where they cannot train together: the others would be paid for in vain.

    Raises:
        UserError: the physics simulates on one, or is not chosen yet, or they cannot share the worlds that were given.
    """
    nodes = int(task.num_nodes)
    if nodes == 1:
        return
    physics, worlds = task.envs.get("PHYSICS") or AUTO, task.envs.get("N_ENVS") or ""
    if physics not in PHYSICS or not PHYSICS[physics].impl:
        raise UserError(
            f"{file} has num_nodes: {nodes}, and physics '{physics}' is not sure to simulate on several machines; give"
            " --env PHYSICS=mjx-jax (or mjx-warp, which is untried on several GPUs), or remove that line"
        )
    numbers = numbers_in(task.envs.get("GPU_IDS") or "")
    devices = nodes * len(numbers or (0,))
    if worlds.isdecimal() and int(worlds) % devices:
        raise UserError(
            f"{file} has num_nodes: {nodes}, and {worlds} worlds cannot be shared equally by {devices} devices; give a"
            f" multiple of {devices}, for example --env N_ENVS={-(-int(worlds) // devices) * devices}"
        )


def _read(file: Path) -> dict[str, Any]:
    import_sky()
    from sky.utils import yaml_utils

    checkout = find_checkout()
    path = file if file.is_absolute() or file.is_file() else checkout / file
    if not path.is_file():
        raise UserError(f"no task file {file}; leave --file out, or give one of {checkout / 'cloud'}")
    with plain_errors():
        config = yaml_utils.read_yaml(str(path))
    if not isinstance(config, dict) or not isinstance(config.get("envs") or {}, dict):
        raise UserError(f"{path} is no task file; see cloud/train.yaml for one")
    refuse_secrets(config.get("envs") or {}, str(file))
    return config


def _check_settings(file: Path, known: Mapping[str, Any], given: Mapping[str, str]) -> None:
    for name in given:
        if name not in known:
            raise UserError(f"{file} has no knob '{name}'{did_you_mean(name, known)} (known: {', '.join(known)})")
    for name, value in known.items():
        if value is None and not given.get(name):
            raise UserError(
                f"{file} has no value for {name}; add --env {name}=..., and see the comment beside it there"
            )


def _hand_over_secrets(task: Any) -> None:
    """Give the task the W&B key and server of this user, if it takes them and there are any."""
    base_url = task.envs.get("WANDB_BASE_URL") or server()
    if base_url != PUBLIC_SERVER and "WANDB_BASE_URL" in task.envs:
        hand_over = task.update_secrets if password_in(base_url) else task.update_envs
        hand_over({"WANDB_BASE_URL": base_url})
    key = wandb_key(base_url)
    if key and "WANDB_API_KEY" in task.secrets:
        task.update_secrets({"WANDB_API_KEY": key})


def task_for(request: LaunchRequest) -> Any:
    """The task to launch: candidates narrowed to the request, and terminated when idle whatever the file says."""
    task = load_task(request.task_file, request.envs)
    with plain_errors():
        candidates = _candidates(list(task.resources), request)
        # With a GPU of the user's choice the file's order says nothing any more: the cheapest comes first.
        ordered = isinstance(task.resources, list) and request.gpus is None
        task.set_resources(candidates if ordered else set(candidates))
    return task


def _candidates(candidates: Sequence[Any], request: LaunchRequest) -> list[Any]:
    """The file's candidates, of which `--infra` keeps some, and `--gpus` and `--spot` change all."""
    if request.infra:
        candidates = [one for infra in request.infra for one in _on(infra, candidates)]
    changes = {"autostop": {"idle_minutes": IDLE_MINUTES, "down": True}, **_machine(request.gpus)}
    if request.spot:
        changes["use_spot"] = True
    found: list[Any] = []
    for one in candidates:
        changed = one.copy(**changes)
        if all(repr(changed) != repr(other) for other in found):  # `--gpus` makes some of the file's alike
            found.append(changed)
    return found


def _on(infra: str, candidates: Sequence[Any]) -> list[Any]:
    """The candidates on a cloud, pinned to its region if one is given; without any, the first one moved there."""
    cloud, _, region = infra.partition("/")
    there = [one for one in candidates if one.cloud is None or str(one.cloud).lower() == cloud]
    if not there:
        there = [candidates[0].copy(cloud=None, region=None, zone=None)]
    if not region and all(one.cloud is not None for one in there):
        return there
    return [one.copy(cloud=None, region=None, zone=None, infra=infra) for one in there]


def _machine(gpus: Gpus | None) -> dict[str, Any]:
    if gpus is None:
        return {}
    if gpus.is_cpu:
        return {"accelerators": None, "cpus": f"{gpus.count}+"}
    return {"accelerators": {canonical_name(gpus.name): gpus.count}}


def task_on(cluster: Cluster, file: Path, envs: Mapping[str, str]) -> Any:
    """The task to run on a cluster that is there: it asks for the GPUs that the cluster has, and for nothing else."""
    sky = import_sky()
    task = load_task(file, envs)
    resources = getattr(cluster.handle, "launched_resources", None)
    with plain_errors():
        task.set_resources(sky.Resources(accelerators=None if resources is None else resources.accelerators))
    return task
