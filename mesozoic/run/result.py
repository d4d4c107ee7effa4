"""What `metrics.json` says of a finished stage."""

from __future__ import annotations

import math
import sys
from typing import Any

from mesozoic.curricula.loop import Progress
from mesozoic.errors import shown, written
from mesozoic.evaluation.episodes import Summary
from mesozoic.run.folder import StageFolder
from mesozoic.run.recorder import RunRecorder
from mesozoic.run.stage_spec import StageSpec

LARGEST = 2**62
"""Whole number in a result."""


def result_of(
    spec: StageSpec,
    folder: StageFolder,
    record: dict[str, Any],
    step: int,
    progress: Progress,
    recorder: RunRecorder,
    figures: dict[str, Summary],
) -> dict[str, Any]:
    """The contents of `metrics.json`.

    Args:
        record: identity, versions and cores; figures: of the baselines.
    """
    return {
        "species": spec.species,
        "stage": spec.config.stage.number,
        "stage_name": spec.config.stage.name,
        "stage_passed": progress.passed,
        "timesteps": step,
        "seed": spec.seed,
        "score": progress.summary["score"],
        "best_score": progress.best_score,
        "best_step": progress.best_step,
        "best_mean_reward": progress.best_mean_reward,
        "best_mean_episode_length": progress.best_mean_episode_length,
        "evaluations": progress.evaluations,
        "evaluation": progress.summary,
        "gate": progress.verdict,
        "certifications": progress.certifications,
        "baselines": figures,
        "wall_seconds": round(sum(recorder.seconds.values()), 1),
        "seconds": {name: round(value, 1) for name, value in recorder.seconds.items()},
        "steps_per_second": round(recorder.steps_per_second, 1),
        "peak_memory_mb": peak_memory_mb(),
        "final_policy": str(folder.final_policy),
        "best_policy": str(folder.best_policy),
        **record,
    }


def checked_result(found: object, spec: StageSpec) -> dict[str, Any]:
    """What `metrics.json` of this stage holds, if everything that is read of it is there and of its type.

    Raises:
        ValueError: something is missing, or has another type or size.
    """
    if not isinstance(found, dict):
        raise ValueError("it holds no table")
    for name, wanted in {"stage": spec.config.stage.number, "stage_name": spec.config.stage.name}.items():
        if found.get(name) != wanted:
            raise ValueError(f"its {name} is {shown(written(found.get(name)), 40)}, not {wanted!r}")
    if not isinstance(found.get("stage_passed"), bool):
        raise ValueError("it does not say whether the gate was passed")
    for name in ("identity", "evaluation", "baselines"):
        if not isinstance(found.get(name), dict):
            raise ValueError(f"it lacks '{name}'")
    for key in ("backend", "algorithm"):
        if not isinstance(found["identity"].get(key), str):
            raise ValueError(f"its identity lacks '{key}'")
    for name in ("timesteps", "seed", "wall_seconds", "steps_per_second"):
        _number(found, name, "it")
    for name in ("success", "success_low", "success_high"):
        _number(found["evaluation"], name, "its evaluation")
    for actor in ("statue", "random"):
        _number(found["baselines"].get(actor), "success", f"its baseline '{actor}'")
    gate = found.get("gate")
    if not isinstance(gate, list):
        raise ValueError("it lacks 'gate'")
    for one in gate:
        for key in ("value", "threshold"):
            _number(one, key, "a criterion of its gate", finite=False)
        name = one.get("name")
        if not isinstance(name, str) or not name.isprintable() or len(name) > 100:
            raise ValueError(f"a criterion of its gate is named {shown(written(name), 40)}")
        if not isinstance(one.get("passed"), bool):
            raise ValueError("a criterion of its gate lacks its verdict")
    return found


def _number(table: object, key: str, what: str, finite: bool = True) -> None:
    value = table.get(key) if isinstance(table, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} lacks the number '{key}'")
    if (abs(value) > LARGEST) if isinstance(value, int) else (finite and not math.isfinite(value)):
        raise ValueError(f"{key} is {shown(written(value), 40)}")


def peak_memory_mb() -> int | None:
    """Most memory this process ever used, in MiB; None where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1 << 20 if sys.platform == "darwin" else 1 << 10))
