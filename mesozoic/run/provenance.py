"""Where a policy is from: who trained it, from which seed, how long, and what its gate said."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown
from mesozoic.files import cause, read_json, sha256_of
from mesozoic.learn.policy import Policy
from mesozoic.policies import record_of
from mesozoic.run.evaluation import without_nan


def provenance_of(policy: Policy, file: Path) -> dict[str, Any]:
    """Learner, step, seed, gate and hash of the policy in `file`; None where nothing is recorded of one.

    Raises:
        UserError: the record of its run is damaged.
    """
    found = record_of_training(file)
    judged = file.stem.endswith("_final") or "sha256" in found  # the gate judges the last policy, or the shipped one
    gate = without_nan({"passed": found.get("stage_passed"), "criteria": found.get("gate")})
    return {
        "learner": policy.info.get("learner"),
        "step": policy.info.get("step"),
        "seed": found.get("seed"),
        "gate": gate if judged and "gate" in found else None,
        "policy_sha256": sha256_of(file),
    }


def provenance_line(policy: Policy, file: Path) -> str:
    """The same in words, for people."""
    known = provenance_of(policy, file)
    parts = [f"{policy.species} stage {policy.stage}", f"policy {known['policy_sha256'][:12]}"]
    if isinstance(known["learner"], str):
        parts.append(shown(known["learner"], 40))
    if isinstance(known["step"], int):
        parts.append(f"{known['step']:,} steps")
    if known["seed"] is not None:
        parts.append(f"seed {shown(known['seed'], 20)}")
    if known["gate"] is not None:
        parts.append("gate passed" if known["gate"]["passed"] else "gate not passed")
    return ", ".join(parts)


def source_name(source: Path) -> str:
    """A short name of a run folder, a policy file or a species, for people.

    It begins with the run: folders above that one may be called after somebody, and what is named here is sent to
    others.
    """
    if not source.exists():
        return shown(str(source), 60)  # a species
    path = Path(os.path.abspath(source))  # "." has a name as well
    parts = [path.name]
    if path.is_file() and path.parent.name == "models":
        path = path.parent.parent
        parts = [path.name, *parts]
    if re.fullmatch(r"stage\d{1,2}", path.name) and (path / "stage_config.json").is_file():
        parts = [path.parent.name, *parts]
    return shown("/".join(part for part in parts if part), 60)


def record_of_training(file: Path) -> dict[str, Any]:
    """What the run that the policy lies in recorded, or what ships with it; empty if there is no record."""
    shipped = record_of(file)
    if shipped is not None:
        return shipped
    beside = file.parent.parent / "metrics.json"
    if file.parent.name != "models" or not beside.is_file():
        return {}
    try:
        found = read_json(beside)
        if not isinstance(found, dict):
            raise ValueError("it holds no table")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{shown(str(beside), 120)} is damaged ({cause(error)}); copy the policy elsewhere to use it without"
        ) from None
    return found
