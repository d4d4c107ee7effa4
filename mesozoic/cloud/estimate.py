"""How long training takes and what it costs: from measured speeds only. What is not measured is said to be so."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import LaunchRequest
from mesozoic.config import StageConfig
from mesozoic.sim.physics import NATIVE, PHYSICS
from mesozoic.species import load_stage

if TYPE_CHECKING:
    from mesozoic.run.stage_spec import StageSpec

TABLE = Path(__file__).with_name("throughput.toml")
IDLE_MINUTES = 5
"""Idle minutes after which a cluster terminates itself."""
SETUP_MINUTES = 10
"""Allowance for starting and setting up a machine, which is paid for as well. A round figure, not a measurement."""
OVERHEAD_HOURS = (SETUP_MINUTES + IDLE_MINUTES) / 60
"""Hours of a cluster beyond those of the job."""
END_WITH_THEIR_JOB = ("vertex",)
"""Clouds whose machines are given back as soon as the job has ended."""
LEARNER = "jax-ppo"
"""Whose speeds are in the table."""
DECIDE_SPEED = (
    *("stage.n_envs", "ppo.n_steps", "ppo.batch_size", "ppo.n_epochs", "ppo.net_arch", "jax.mirror"),
    *("curriculum.eval_freq", "curriculum.eval_episodes"),
)
"""Keys that the time of a step depends on. All speeds were measured with their values in the stage files."""


@dataclass(frozen=True)
class Speed:
    """Steps per second of each stage of one species, on one machine.

    Attributes:
        physics: the engine that simulated.
        cloud, instance_type: of the offers that it speaks for; gpu: the same by the GPU, where that simulated.
        first_seconds: for what a new machine does once.
    """

    machine: str
    source: str
    cloud: str
    instance_type: str
    steps_per_second: dict[int, float]
    physics: str = NATIVE
    gpu: str = ""
    first_seconds: float = 0.0

    def speaks_for(self, placement: Placement) -> bool:
        """Whether it was measured on a machine of this kind."""
        if self.gpu:
            return self.gpu == placement.gpu
        return bool(self.instance_type) and (self.cloud, self.instance_type) == (
            placement.cloud,
            placement.instance_type,
        )


@cache
def _machines(table: Path) -> tuple[dict[str, Any], ...]:
    with table.open("rb") as file:
        return tuple(tomllib.load(file)["machine"])


def speeds(species: str, table: Path = TABLE) -> list[Speed]:
    """All measurements of a species."""
    return [
        Speed(
            machine=one["name"],
            source=one["source"],
            cloud=one.get("cloud", ""),
            instance_type=one.get("instance_type", ""),
            steps_per_second={int(stage): float(rate) for stage, rate in one["steps_per_second"][species].items()},
            physics=one.get("physics", NATIVE),
            gpu=one.get("gpu", ""),
            first_seconds=float(one.get("first_seconds", 0.0)),
        )
        for one in _machines(table)
        if species in one["steps_per_second"]
    ]


def budgets(request: LaunchRequest, placement: Placement) -> dict[int, int]:
    """Environment steps that each stage may take there at most; a stage whose gate passes ends earlier.

    Raises:
        UserError: the training cannot be on such a machine.
    """
    return {one.config.stage.number: one.config.curriculum.timesteps for one in request.trainings.there(placement)}


def _is_measured(speed: Speed, request: LaunchRequest, placement: Placement) -> bool:
    """Whether a speed is that of the training that will be there, were it the machine of the speed."""
    stages = request.trainings.there(placement)
    return bool(stages) and placement.nodes == 1 and all(_as_measured(speed, one) for one in stages)


def _as_measured(speed: Speed, stage: StageSpec) -> bool:
    """Whether a stage has the learner, the engine and one device, and all that decides the speed, as measured."""
    if (stage.kind.name, stage.physics, stage.gpu_ids) != (LEARNER, speed.physics, ""):
        return False
    on_file = load_stage(stage.species, stage.config.stage.number, device=bool(PHYSICS[stage.physics].impl))
    return all(_value(stage.config, key) == _value(on_file, key) for key in DECIDE_SPEED)


def _value(config: StageConfig, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def hours_at(speed: Speed, steps: dict[int, int]) -> float | None:
    """Hours for these budgets; None if a stage was not measured there."""
    if not set(steps) <= set(speed.steps_per_second):
        return None
    seconds = sum(count / speed.steps_per_second[stage] for stage, count in steps.items())
    return (speed.first_seconds + seconds) / 3600


def measured_hours(request: LaunchRequest, placement: Placement) -> tuple[float, str] | None:
    """Hours that training takes at most on this very kind of machine, and the source; None if it is not measured."""
    for speed in speeds(request.species):
        if speed.speaks_for(placement) and _is_measured(speed, request, placement):
            hours = hours_at(speed, budgets(request, placement))
            if hours is not None:
                return hours, speed.source
    return None


def cheapest_first(offers: Sequence[Offer], request: LaunchRequest) -> list[Offer]:
    """By the dollars of the training if it was measured on all of these machines, else by those of an hour."""
    hours = {offer.placement: measured_hours(request, offer.placement) for offer in offers}
    if all(hours.values()):
        return sorted(
            offers, key=lambda offer: offer.price * ((hours[offer.placement] or (0.0, ""))[0] + OVERHEAD_HOURS)
        )
    return sorted(offers, key=lambda offer: offer.price)


def possible(offers: Sequence[Offer], request: LaunchRequest) -> list[Offer]:
    """The offers that have what the physics needs, in the same order.

    Raises:
        UserError: none has, or the training cannot be on one of them.
    """
    kept = [offer for offer in offers if request.trainings.possible(offer.placement)]
    for offer in kept or offers:
        request.trainings.there(offer.placement)
    return kept


def job_hours(request: LaunchRequest, placement: Placement) -> float | None:
    """Hours that the job lasts at most: the limit, or what was measured, whichever is less; None without either."""
    measured = measured_hours(request, placement)
    known = [hours for hours in (request.max_hours, measured[0] if measured else None) if hours is not None]
    return min(known, default=None)


def paid_hours(request: LaunchRequest, placement: Placement) -> float | None:
    """Hours of the machine that are paid for: those of the job, and starting, setting up and idling."""
    hours = job_hours(request, placement)
    return None if hours is None else hours + overhead_hours(placement)


def overhead_hours(placement: Placement) -> float:
    """Hours of a machine beyond those of the job."""
    return SETUP_MINUTES / 60 if placement.cloud in END_WITH_THEIR_JOB else OVERHEAD_HOURS


def duration(request: LaunchRequest, placement: Placement) -> str:
    """What is known of the time that training takes there, in words."""
    budget = budgets(request, placement)
    steps = f"{sum(budget.values()):,} steps"
    measured = measured_hours(request, placement)
    if measured is not None:
        return f"duration: at most {measured[0]:.2f} h for {steps} ({measured[1]})"
    text = f"duration: not measured on {placement.instance_type}; the budget is {steps}"
    for speed in speeds(request.species):
        hours = hours_at(speed, budget)
        if hours is not None and not speed.instance_type and _is_measured(speed, request, placement):
            time = f"{hours * 60:.0f} min" if hours * 60 >= 1 else "less than a minute"
            return f"{text}, {time} at the pace of {speed.machine} ({speed.source})"
    return text


def total(request: LaunchRequest, placements: Sequence[Placement]) -> str:
    """What it comes to on the machine that is tried first, and on the dearest one, in words."""
    first = placements[0]
    if all(one.cloud == "slurm" for one in placements):
        return "total: nothing is rented, the machine is your own"
    paid = paid_hours(request, first)
    if paid is None:
        return f"total: unknown, ${first.price or 0.0:.2f} for every hour until it ends; --max-hours sets a limit"
    sums = [(one.price or 0.0) * hours for one in placements if (hours := paid_hours(request, one)) is not None]
    dearest = f", ${max(sums):.2f} on the dearest" if max(sums) > sums[0] else ""
    idle = "" if first.cloud in END_WITH_THEIR_JOB else f" and {IDLE_MINUTES} min idle"
    lasts = f"{paid - overhead_hours(first):g} h of training, {SETUP_MINUTES} min allowed for set-up{idle}"
    if request.managed:
        again = (first.price or 0.0) * SETUP_MINUTES / 60
        return (
            f"total: about ${sums[0]:.2f}{dearest} ({lasts}) if no machine is taken away; this is no limit: every"
            f" recovery costs its set-up, about ${again:.2f}, and the training since the last checkpoint once more"
        )
    most = "at most about" if request.max_hours is not None else "about"
    return f"total: {most} ${sums[0]:.2f}{dearest} ({lasts})"


def explain(request: LaunchRequest, placements: Sequence[Placement]) -> list[str]:
    """Duration and total, in lines for a person; `placements` are the kinds of machine in the order of trying."""
    return [duration(request, placements[0]), total(request, placements)]
