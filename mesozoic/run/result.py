"""What `metrics.json` says of a finished stage."""

from __future__ import annotations

import sys
from typing import Any

from mesozoic.curricula.loop import Progress
from mesozoic.evaluation.episodes import Summary
from mesozoic.run.folder import StageFolder
from mesozoic.run.recorder import RunRecorder
from mesozoic.run.stage_spec import StageSpec


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


def peak_memory_mb() -> int | None:
    """Most memory this process ever used, in MiB; None where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1 << 20 if sys.platform == "darwin" else 1 << 10))
