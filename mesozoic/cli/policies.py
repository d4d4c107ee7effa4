"""What `eval`, `render` and `robustness` are given: a policy file, a run folder or a species, and its stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mesozoic.errors import UserError

if TYPE_CHECKING:
    from mesozoic.config import StageConfig
    from mesozoic.learn.policy import Policy
    from mesozoic.species import Species


def policy_file(path: Path, stage: int | None = None) -> Path:
    """The file that is meant by a policy file, a run folder, or the name of a species whose policy ships.

    Raises:
        UserError: there is none, or none of that stage.
    """
    from mesozoic.policies import shipped_policy
    from mesozoic.run.folder import StageFolder, find_policy
    from mesozoic.species import species_names

    if not path.exists() and str(path) in species_names():
        return shipped_policy(str(path), stage)
    if stage is None or not path.is_dir() or (path / "models").is_dir():  # a stage folder is one stage's
        return find_policy(path)
    folder = StageFolder(path, stage)
    for file in (folder.final_policy, folder.best_policy):
        if file.is_file():
            return file
    raise UserError(f"{path} holds no policy of stage {stage}; train it first, or leave --stage out")


def open_policy(
    path: Path, species: str | None, overrides: list[str], stage: int | None = None
) -> tuple[Policy, Species, StageConfig]:
    """Load the policy that `path` means, its animal, and its stage: the run's own configuration when the
    policy lies in a run folder, else the shipped stage file; `overrides` on top.

    Raises:
        UserError: no policy there, or it is of another species, stage or layout.
    """
    from mesozoic import task
    from mesozoic.config import parse_overrides, validate
    from mesozoic.learn.policy import check_policy_fits, load_policy
    from mesozoic.species import get_species, load_stage
    from mesozoic.species.anatomy import anatomy_of

    file = policy_file(path, stage)
    policy = load_policy(file)
    if stage is not None and policy.stage != stage:
        raise UserError(f"{file} is a policy of stage {policy.stage}, not {stage}; leave --stage out")
    animal = get_species(species or policy.species)
    anatomy = anatomy_of(animal, animal.load_model())
    check_policy_fits(policy, animal.name, task.layout_of(anatomy), anatomy.nu)
    chosen = parse_overrides(overrides)
    beside = file.parent.parent / "stage_config.json"
    if not beside.is_file():
        return policy, animal, load_stage(policy.species, policy.stage, chosen)
    try:
        raw = json.loads(beside.read_text(encoding="utf-8"))["config"]
        for one in chosen:
            if one.stage is None or one.stage == policy.stage:
                raw.setdefault(one.section, {})[one.key] = one.value
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{beside} is damaged ({error}); copy the policy elsewhere to use the shipped stage") from None
    return policy, animal, validate(raw, beside.name)
