"""Runs the stages of a species one after the other, each from the policy of the one before."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesozoic.config import Override, StageConfig
from mesozoic.curriculum.gate import check_gate
from mesozoic.errors import UserError
from mesozoic.files import write_bytes
from mesozoic.learn.network_presets import hidden_widths
from mesozoic.run.folder import StageFolder
from mesozoic.run.spec import RunSpec
from mesozoic.run.train_stage import train_stage
from mesozoic.species import get_species, load_stage, stage_files
from mesozoic.species.anatomy import anatomy_of
from mesozoic.task import check_stage

RESULTS_FILE = "collected_results.csv"
COLUMNS = (
    "species",
    "stage",
    "stage_name",
    "stage_passed",
    "seed",
    "backend",
    "algorithm",
    "timesteps",
    "wall_seconds",
    "steps_per_second",
    "score",
    "best_score",
    "best_step",
    "best_mean_reward",
    "best_mean_episode_length",
    "success",
    "success_low",
    "statue_success",
    "random_success",
    "final_policy",
)
"""Of `collected_results.csv`, one row for each stage."""


@dataclass(frozen=True)
class CurriculumPlan:
    """Everything that decides a curriculum run.

    Attributes:
        stages: the configurations, in order, from stage 1 to the target.
    """

    species: str
    seed: int
    backend: str
    algorithm: str
    stages: tuple[StageConfig, ...]


def plan_curriculum(
    species: str, seed: int, backend: str, algorithm: str, overrides: Sequence[Override], target: int | None = None
) -> CurriculumPlan:
    """Load and check every stage up to `target` (default: the last one), before any of them begins.

    Raises:
        UserError: a stage is missing or invalid, its gate cannot be passed, or its network differs.
    """
    numbers = sorted(stage_files(species))
    last = numbers[-1] if target is None else target
    if last not in numbers:
        raise UserError(f"{species} has no stage {last}; give --target {', '.join(map(str, numbers))}")
    stages = tuple(load_stage(species, number, overrides) for number in numbers if number <= last)
    animal = get_species(species)
    anatomy = anatomy_of(animal, animal.load_model())
    first = stages[0]
    for stage in stages:
        check_gate(stage.curriculum)
        if algorithm == "ppo":
            stage.check_ppo_batches()
        check_stage(anatomy, stage.env)
        ours, theirs = (getattr(one, algorithm).net_arch for one in (stage, first))
        if hidden_widths(ours) != hidden_widths(theirs):
            raise UserError(
                f"stage {stage.stage.number} has {algorithm}.net_arch = {ours}, stage {first.stage.number} has"
                f" {theirs}: weights cannot be handed on; give all stages the same"
            )
    return CurriculumPlan(species, seed, backend, algorithm, stages)


def run_curriculum(
    plan: CurriculumPlan, run: Path, strict: bool = False, resume: bool = True, wandb: bool = False
) -> list[dict[str, Any]]:
    """Train the stages in `run`, and return what each `metrics.json` says.

    A stage whose budget ends first is recorded as not passed and the next one begins all the same, from
    its best policy; with `strict` the run ends there. Stages that are over are only reported, one that
    was cut off goes on from its checkpoint.

    Raises:
        UserError: files of another run lie there. Interrupted: a signal came; a checkpoint was written.
    """
    results: list[dict[str, Any]] = []
    load: Path | None = None
    for config in plan.stages:
        spec = RunSpec(plan.species, plan.seed, plan.backend, plan.algorithm, config, load)
        result = train_stage(spec, run, resume=resume, wandb=wandb)
        results.append(result)
        write_bytes(run / RESULTS_FILE, results_table(results).encode())
        if strict and not result["stage_passed"]:
            break
        folder = StageFolder(run, config.stage.number)
        load = folder.final_policy if result["stage_passed"] else folder.best_policy
    return results


def results_table(results: Sequence[dict[str, Any]]) -> str:
    """The results as CSV with the columns `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for result in results:
        writer.writerow(
            {
                **result,
                "backend": result["identity"]["backend"],
                "algorithm": result["identity"]["algorithm"],
                "success": result["evaluation"]["success"],
                "success_low": result["evaluation"]["success_low"],
                "statue_success": result["baselines"]["statue"]["success"],
                "random_success": result["baselines"]["random"]["success"],
            }
        )
    return text.getvalue()
