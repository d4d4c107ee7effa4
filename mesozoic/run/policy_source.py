"""What people mean by a policy: a file, a run folder or a species whose policy ships; and the stage it is for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mesozoic import task
from mesozoic.config import StageConfig, parse_overrides, validate
from mesozoic.errors import UserError
from mesozoic.files import cause, read_json
from mesozoic.learn.policy import Policy, check_policy_fits, load_policy
from mesozoic.policies import shipped_policy
from mesozoic.run.folder import StageFolder, find_policy
from mesozoic.species import Species, get_species, load_stage, species_names
from mesozoic.species.anatomy import anatomy_of


def policy_file(path: Path, stage: int | None = None) -> Path:
    """The file that is meant by a policy file, a run folder, or the name of a species whose policy ships.

    Raises:
        UserError: there is none, or none of that stage.
    """
    if not path.exists() and str(path) in species_names():
        return shipped_policy(str(path), stage)
    if stage is None or not path.is_dir() or (path / "models").is_dir():  # a stage folder is one stage's
        return find_policy(path)
    folder = StageFolder(path, stage)
    for file in (folder.final_policy, folder.best_policy):
        if file.is_file():
            return file
    raise UserError(f"{path} holds no policy of stage {stage}; train it first, or leave --stage out")


def read_policy(source: Path, stage: int | None = None) -> Policy:
    """The policy that `source` means.

    Raises:
        UserError: there is none, or it is damaged.
    """
    return load_policy(policy_file(source, stage))


def open_policy(
    path: Path, species: str | None = None, overrides: Sequence[str] = (), stage: int | None = None
) -> tuple[Policy, Species, StageConfig]:
    """Load the policy that `path` means, its animal, and its stage: the run's own configuration when the
    policy lies in a run folder, else the shipped stage file; `overrides` on top.

    Raises:
        UserError: no policy there, or it is of another species, stage or layout.
    """
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
        raw = read_json(beside)["config"]
        applied = {one.path: one for one in chosen if one.stage is None or one.stage == policy.stage}
        for one in applied.values():
            raw.setdefault(one.section, {})[one.key] = one.value
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{beside} is damaged ({cause(error)}); copy the policy elsewhere to use the shipped stage"
        ) from None
    return policy, animal, validate(raw, beside.name, applied)
