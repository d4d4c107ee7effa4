"""What a trial hands on: the policy of its best seed, and in its own folder copies of that training's files.

`<trial>/models/stageN_final.zip` is the policy that a chain's next stage begins from, whatever engine ran the trial;
`models/best_model.zip`, `metrics.json` and `stage_config.json` lie beside it as in the folder of a training.
"""

from __future__ import annotations

from pathlib import Path

from mesozoic.files import read_bytes, write_bytes
from mesozoic.run.folder import StageFolder, policy_names
from mesozoic.sweep.trial_record import TrialRecord

LARGEST = 256 << 20
"""Bytes of one file; policies have about a hundred thousand."""


def best_seed(record: TrialRecord) -> int:
    """The number of the seed that came to most."""
    return max(range(len(record.results)), key=lambda one: record.results[one]["value"])


def policy_of(trial: Path, stage: int, record: TrialRecord) -> Path:
    """The policy of a trial's best seed: the one that passed its gate, else the one of the best evaluation."""
    run, best = _run(trial, stage, record), best_seed(record)
    return run.final_policy if record.results[best]["stage_passed"] else run.best_policy


def policy_name(stage: int, trial: str) -> str:
    """Where the policy that a trial hands on lies, below the folder of its sweep."""
    return f"stage{stage}/{trial}/models/stage{stage}_final.zip"


def hand_on(trial: Path, stage: int, record: TrialRecord) -> None:
    """Put into a trial's folder what others begin from or read, once it has run to its end.

    Raises:
        OSError: it cannot be written.
    """
    run, models = _run(trial, stage, record), trial / "models"
    models.mkdir(exist_ok=True)
    copies = [(run.metrics, trial / run.metrics.name), (run.config, trial / run.config.name)]
    for policy, name in ((run.best_policy, run.best_policy), (policy_of(trial, stage, record), run.final_policy)):
        ends = zip(policy_names(policy.stem), policy_names(name.stem), strict=True)
        copies += [(policy.with_name(source), models / goal) for source, goal in reversed(list(ends))]
    for source, goal in copies:
        if source.is_file():
            write_bytes(goal, read_bytes(source, LARGEST))


def _run(trial: Path, stage: int, record: TrialRecord) -> StageFolder:
    return StageFolder(trial / f"seed{best_seed(record)}", stage)
