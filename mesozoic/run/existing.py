"""What a stage's folder already holds: a finished run, a checkpoint, a run that only began, or another run."""

from __future__ import annotations

from typing import Any

from mesozoic.errors import UserError
from mesozoic.files import cause, read_json
from mesozoic.learn.policy import load_policy
from mesozoic.run.checkpoint import Saved, checkpoints, newest
from mesozoic.run.folder import StageFolder
from mesozoic.run.result import checked_result
from mesozoic.run.stage_spec import StageSpec


def finished(folder: StageFolder, spec: StageSpec) -> dict[str, Any] | None:
    """The result of a run of this stage that is already over, with the paths that hold now.

    One whose budget ended is not over if the budget is larger now.

    Raises:
        UserError: it is of another configuration, or damaged.
    """
    if not (folder.metrics.exists() and folder.final_policy.exists()):
        return None
    try:
        result = checked_result(read_json(folder.metrics), spec)
    except (OSError, ValueError) as error:
        where = f"{folder.metrics} is damaged ({cause(error)})"
        raise UserError(f"{where}; remove it or start over with --no-resume") from None
    other = result["identity"]
    if not spec.extends(other):
        spec.check(other, folder.path)
    elif not result["stage_passed"]:
        return None
    try:
        load_policy(folder.final_policy)
    except UserError:
        if not checkpoints(folder.checkpoints):
            raise
        return None  # its last checkpoint has the policy that belongs here
    return {**result, "final_policy": str(folder.final_policy), "best_policy": str(folder.best_policy)}


def begun(folder: StageFolder, spec: StageSpec) -> Saved | None:
    """The newest whole checkpoint of a run of this stage; None if there is none yet.

    Raises:
        UserError: the folder holds a run of another configuration, or nothing in it is whole.
    """
    over = folder.metrics.exists()
    if folder.config.exists():
        try:
            _check(spec, dict(read_json(folder.config)["identity"]), folder, over)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder.config} is damaged ({cause(error)}); start over with --no-resume") from None
    saved = newest(folder.checkpoints)
    if saved is not None:
        try:
            _check(spec, dict(saved.manifest["identity"]), folder, over)
        except (KeyError, TypeError, ValueError):
            raise UserError(f"checkpoint {saved.path} says nothing of its run; start over with --no-resume") from None
    elif over and not folder.final_policy.exists():
        return None
    elif over:
        raise UserError(
            f"the finished run in {folder.path} left no checkpoint to go on from; give --load {folder.final_policy} and"
            " another --output-dir, or --no-resume to set it aside"
        )
    return saved


def _check(spec: StageSpec, recorded: dict[str, Any], folder: StageFolder, over: bool) -> None:
    """Refuse another run's files; a run that is `over` may go on with a larger budget."""
    if not (over and spec.extends(recorded)):
        spec.check(recorded, folder.path)
