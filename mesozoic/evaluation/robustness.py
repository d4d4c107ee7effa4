"""How much of a policy is left in worlds that it was not trained in: other headings, masses and floors.

Each variation is evaluated on the episodes of the unchanged world, so that only the world differs. The
task keeps the constants of the unchanged animal: pushes are as strong in newtons as ever, and a foot's
load is a share of the weight that the policy knows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mesozoic.config import StageConfig
from mesozoic.evaluation.episodes import run_episodes
from mesozoic.sim.actor import Actor
from mesozoic.sim.native import ModelChange
from mesozoic.sim.samples import Stream
from mesozoic.species import Species
from mesozoic.species.simulator import mujoco

EPISODES = 64
"""Episodes of each variation unless the caller says otherwise."""
HEADINGS = 8
"""Headings all around; their variations are named in degrees."""
MASS_FACTORS = (0.9, 1.1)
FRICTIONS = (0.6, 0.8, 1.0, 1.2)
"""Sliding friction coefficients of floor and feet; that of the shipped models is 1."""


@dataclass(frozen=True)
class Variation:
    """A world to be robust to: a `change` of the model, or a first `heading` in radians instead of random ones."""

    name: str
    change: ModelChange | None = None
    heading: float | None = None


@dataclass(frozen=True)
class Row:
    """Figures of one variation.

    Attributes:
        success, success_low, success_high: share of episodes in which the task was done, 95 % Wilson bounds.
        drop: share of success lost against the unchanged world; negative for a gain.
        survival: share of episodes without a fall; score: in [0, 1] (see `outcome`).
        speed: mean progress in units of sqrt(g*h); None where nobody walks.
    """

    name: str
    success: float
    success_low: float
    success_high: float
    drop: float
    survival: float
    score: float
    speed: float | None


def scale_mass(factor: float) -> ModelChange:
    """Every body's mass and inertia times `factor`, with the model constants that follow from them."""

    def change(model: mujoco.MjModel) -> None:
        model.body_mass[:] *= factor
        model.body_inertia[:] *= factor
        mujoco.mj_setConst(model, mujoco.MjData(model))

    return change


def set_friction(coefficient: float) -> ModelChange:
    """Sliding friction of every geom that can touch another: the floor and the feet.

    All of them, as a contact takes the larger coefficient of its two geoms.
    """

    def change(model: mujoco.MjModel) -> None:
        touching = (model.geom_contype | model.geom_conaffinity) != 0
        model.geom_friction[touching, 0] = coefficient

    return change


NOMINAL = Variation("nominal")
VARIATIONS = (
    *(Variation(f"heading {360 * k // HEADINGS}", heading=2.0 * math.pi * k / HEADINGS) for k in range(HEADINGS)),
    *(Variation(f"mass x{factor}", scale_mass(factor)) for factor in MASS_FACTORS),
    *(Variation(f"friction {coefficient}", set_friction(coefficient)) for coefficient in FRICTIONS),
)


def measure_robustness(
    actor: Actor,
    species: Species,
    config: StageConfig,
    seed: int,
    episodes: int = EPISODES,
    variations: tuple[Variation, ...] = VARIATIONS,
) -> list[Row]:
    """Evaluate `actor` on its stage in the unchanged world (the first row) and in every variation of it.

    A `friction_range` of the stage is off: friction is that of the model, or of the variation.
    """
    config = config.model_copy(update={"env": config.env.model_copy(update={"friction_range": None})})
    rows: list[Row] = []
    for world in (NOMINAL, *variations):
        result = run_episodes(
            actor, species, config, seed, Stream.EVAL, episodes, change=world.change, heading=world.heading
        )
        figures = result.summary()
        rows.append(
            Row(
                name=world.name,
                success=figures["success"],
                success_low=figures["success_low"],
                success_high=figures["success_high"],
                drop=rows[0].success - figures["success"] if rows else 0.0,
                survival=figures["survival"],
                score=figures["score"],
                speed=figures.get("gait/speed"),
            )
        )
    return rows
