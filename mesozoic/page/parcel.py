"""What the page is given: animals, stages, policies and every constant of the task, as JSON.

The page has no numbers of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mesozoic import task
from mesozoic.config import EnvSection, StageConfig
from mesozoic.errors import UserError, shown
from mesozoic.files import read_text
from mesozoic.learn.normaliser import CLIP
from mesozoic.learn.policy import Policy, check_policy_fits
from mesozoic.page.examples import examples_of
from mesozoic.rendering.appearance import appearance_of, packed
from mesozoic.sim.divergence import MAX_SPEED
from mesozoic.sim.samples import Stream
from mesozoic.species import Species
from mesozoic.species.anatomy import Anatomy, anatomy_of
from mesozoic.species.model_file import MODEL_LIMIT
from mesozoic.task.kinematics import NEAR, TINY
from mesozoic.task.mdp import FAR_AWAY
from mesozoic.task.observe import TARGET_REACH
from mesozoic.task.pushes import UNIFORMS_PER_PUSH, push_count, push_steps
from mesozoic.task.reach import hold_steps
from mesozoic.task.reset import FAR, SCALARS
from mesozoic.version import __version__

FORMAT = 1
FILES = ("file=", "<include", "<attach")
"""Signs in an MJCF of other files that belong to it."""


@dataclasses.dataclass(frozen=True)
class Playable:
    """A policy on the stage that it is played on.

    Attributes:
        title: where it is from, for people.
    """

    policy: Policy
    config: StageConfig
    title: str = ""


def parcel_of(animals: Iterable[tuple[Species, Sequence[Playable]]], start: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page needs.

    Args:
        animals: each with what it can be played with, at least one.
        start: what is shown first: `animal`, `stage`, `seed`, `episode`.

    Raises:
        UserError: an animal or a policy cannot live in the page.
    """
    from mesozoic.species.simulator import mujoco

    return {
        "format": FORMAT,
        "version": __version__,
        "mujoco": mujoco.__version__,
        "constants": _constants(),
        "animals": [animal_parcel(species, stages) for species, stages in animals],
        "start": start,
    }


def _constants() -> dict[str, float]:
    """Numbers of the task that are the same for every animal and stage."""
    return {
        "clip": CLIP,
        "far": FAR,
        "far_away": FAR_AWAY,
        "max_speed": float(MAX_SPEED),
        "near": float(NEAR),
        "scalars": SCALARS,
        "stream": int(Stream.EVAL),
        "target_reach": float(TARGET_REACH),
        "tiny": float(TINY),
        "uniforms_per_push": UNIFORMS_PER_PUSH,
    }


def animal_parcel(species: Species, stages: Sequence[Playable]) -> dict[str, Any]:
    """One animal: its model, the constants of its body, its looks, and its stages with their policies.

    Raises:
        UserError: its model has files beside it, has parts that cannot be drawn, or a policy does not fit it.
    """
    model = species.load_model()
    anatomy = anatomy_of(species, model)
    return {
        "name": species.name,
        "title": species.title,
        "behaviour": species.behaviour,
        "xml": model_text(species),
        "anatomy": _anatomy(anatomy),
        "layout": [[block.name, block.size] for block in task.observation_layout(anatomy)],
        "appearance": appearance_of(species, model),
        "stages": [stage_parcel(species, anatomy, one) for one in stages],
    }


def stage_parcel(species: Species, anatomy: Anatomy, play: Playable) -> dict[str, Any]:
    """One stage of an animal with its policy, and a few states with what Python makes of them.

    Raises:
        UserError: the policy does not fit the animal.
    """
    policy, env = play.policy, play.config.env
    check_policy_fits(policy, species.name, task.layout_of(anatomy), anatomy.nu)
    task.check_stage(anatomy, env)
    return {
        "number": policy.stage,
        "name": play.config.stage.name,
        "title": play.title,
        "env": _env(env, anatomy),
        "policy": _policy(policy),
        "examples": examples_of(species, env, policy),
    }


def model_text(species: Species) -> str:
    """The text of a model, which must need no other file.

    Raises:
        UserError: it names others.
    """
    text = read_text(species.model_path, MODEL_LIMIT)
    found = next((sign for sign in FILES if sign in text), None)
    if found is not None:
        raise UserError(
            f"{shown(str(species.model_path), 120)} needs other files ('{found.strip('<=')}'), which a page does not"
            " carry; render the animal instead: mesozoic render"
        )
    return text


def _env(env: EnvSection, anatomy: Anatomy) -> dict[str, Any]:
    """What of a stage's task moves, pushes or ends an episode; steps are counted here, in one place."""
    return {
        **env.model_dump(),
        "task": env.task,
        "has_target": env.has_target,
        "push_count": push_count(anatomy, env),
        "push_steps": push_steps(anatomy, env),
        "hold_steps": hold_steps(anatomy, env),
        "uniforms": task.uniforms_per_reset(anatomy, env),
    }


def _anatomy(anatomy: Anatomy) -> dict[str, Any]:
    """All its fields and units; the underside as spheres."""
    plain = {field.name: _plain(getattr(anatomy, field.name)) for field in dataclasses.fields(anatomy)}
    del plain["underside"], plain["underside_radius"]
    units = {name: float(getattr(anatomy, name)) for name in ("weight", "speed_unit", "time_unit")}
    return {**plain, **units, "nj": anatomy.nj, "underside": _spheres(anatomy)}


def _spheres(anatomy: Anatomy) -> list[list[float]]:
    """`[body, x, y, z, radius]` of each sphere of the underside."""
    weights = anatomy.underside.reshape(-1, 4, len(anatomy.underside_radius))
    spheres = []
    for i, radius in enumerate(anatomy.underside_radius):
        body = int(weights[:, 0, i].argmax())
        spheres.append([body, *_plain(weights[body, 1:, i]), float(radius)])
    return spheres


def _policy(policy: Policy) -> dict[str, Any]:
    layers = [
        {
            "inputs": int(policy.arrays[f"actor/{i}/kernel"].shape[0]),
            "outputs": int(policy.arrays[f"actor/{i}/kernel"].shape[1]),
            "kernel": _single(policy.arrays[f"actor/{i}/kernel"]),
            "bias": _single(policy.arrays[f"actor/{i}/bias"]),
        }
        for i in range(policy.layers)
    ]
    return {
        "activation": policy.activation,
        "output": policy.output,
        "mean": _single(policy.arrays["norm/mean"]),
        "std": _single(policy.arrays["norm/std"]),
        "layers": layers,
    }


def _single(array: Any) -> str:
    return packed(np.asarray(array).astype("<f4"))


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, numbers of NumPy as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
