"""The contract of an exported policy: everything that a program needs to run it on an animal, as plain JSON.

It goes beside every export, and into it where the format has room. Nothing in it is typed by hand.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.errors import UserError, shown
from mesozoic.export.vectors import Vectors
from mesozoic.files import cause, read_bytes
from mesozoic.learn.normaliser import CLIP
from mesozoic.learn.policy import Policy
from mesozoic.run.provenance import provenance_of
from mesozoic.species import Species
from mesozoic.species.anatomy import Anatomy
from mesozoic.species.model_file import MODEL_LIMIT
from mesozoic.species.simulator import mujoco
from mesozoic.version import __version__

FORMAT, VERSION = "mesozoic-export", 1
TOLERANCE = 1e-6
"""Within which an export must agree with the vectors, in actions and radians."""


def contract_of(
    policy: Policy, file: Path, species: Species, config: StageConfig, anatomy: Anatomy, vectors: Vectors
) -> dict[str, Any]:
    """The contract of the policy in `file`.

    Raises:
        UserError: the record of its run, or the animal's model, cannot be read.
    """
    model = species.load_model()
    return {
        "format": FORMAT,
        "version": VERSION,
        "species": species.name,
        "title": species.title,
        "stage": policy.stage,
        "stage_name": config.stage.name,
        "inputs": {"obs": ["n", policy.observation_size]},
        "outputs": {"actions": ["n", policy.action_size], "targets": ["n", policy.action_size]},
        "control_period": anatomy.dt,
        "observation": _layout(anatomy),
        "units": _units(species, config, anatomy),
        "joints": _joints(anatomy, model),
        "action": _actions(anatomy, model),
        "feet": list(anatomy.foot_names),
        "normaliser": {"clip": CLIP, "inside": True},
        "network": {"hidden": list(policy.hidden), "activation": policy.activation, "output": policy.output},
        "provenance": {**provenance_of(policy, file), **_versions(species)},
        "tolerance": TOLERANCE,
        "vectors": vectors.to_json(),
    }


def _layout(anatomy: Anatomy) -> list[dict[str, Any]]:
    """Blocks of the observation in order: name, first index, size, unit, meaning."""
    rows, at = [], 0
    for block in task.observation_layout(anatomy):
        rows.append({"name": block.name, "at": at, "size": block.size, "unit": block.unit, "meaning": block.meaning})
        at += block.size
    return rows


def _units(species: Species, config: StageConfig, anatomy: Anatomy) -> dict[str, float]:
    """Constants that turn metres, seconds and newtons into the units of the observation, and the gait clock."""
    return {
        "hip_height": anatomy.hip_height,
        "gravity": anatomy.gravity,
        "mass": anatomy.mass,
        "weight": anatomy.weight,
        "speed_unit": anatomy.speed_unit,
        "time_unit": anatomy.time_unit,
        "home_height": float(anatomy.home_qpos[2]),
        "command": math.sqrt(config.env.target_froude),
        "clock_per_step": config.env.gait_frequency * anatomy.dt / anatomy.time_unit,
        "reach_radius": config.env.reach_radius * species.hip_height,
    }


def _joints(anatomy: Anatomy, model: mujoco.MjModel) -> list[dict[str, Any]]:
    """Every joint but the free one, in the order of `joint_pos` and `joint_vel`, with its home angle and range."""
    return [
        {
            "name": model.joint(1 + i).name,
            "home": float(anatomy.home_qpos[7 + i]),
            "range": _floats(model.jnt_range[1 + i]) if model.jnt_limited[1 + i] else None,
        }
        for i in range(anatomy.nj)
    ]


def _actions(anatomy: Anatomy, model: mujoco.MjModel) -> list[dict[str, Any]]:
    """Every servo in the order of the action: target = home + scale * action, cut to `limits`, in radians."""
    return [
        {
            "name": model.actuator(i).name,
            "joint": model.joint(int(model.actuator_trnid[i, 0])).name,
            "home": float(anatomy.home_ctrl[i]),
            "scale": float(anatomy.action_scale[i]),
            "limits": [float(anatomy.ctrl_low[i]), float(anatomy.ctrl_high[i])],
            "stiffness": float(model.actuator_gainprm[i, 0]),
            "damping": float(-model.actuator_biasprm[i, 2]),
            "force_limits": _floats(model.actuator_forcerange[i]) if model.actuator_forcelimited[i] else None,
        }
        for i in range(anatomy.nu)
    ]


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in np.asarray(values)]


def _versions(species: Species) -> dict[str, str]:
    try:
        body = hashlib.sha256(read_bytes(species.model_path, MODEL_LIMIT)).hexdigest()
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(str(species.model_path), 120)} cannot be read ({cause(error)})") from None
    return {"mesozoic": __version__, "mujoco": mujoco.__version__, "model_sha256": body}
