"""What only training needs of a policy is asked for before anything begins, in one sentence, for every learner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesozoic.errors import UserError
from mesozoic.learn.kinds import KINDS, LearnerKind
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.policies import shipped_policy
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec
from mesozoic.species import get_species, load_stage


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def made(request: pytest.FixtureRequest) -> tuple[LearnerKind, Policy]:
    """A learner and a policy that it made."""
    kind: LearnerKind = request.param
    if kind.missing():
        pytest.skip(kind.missing())
    config = load_stage("velociraptor", 1)
    small = config.model_copy(update={"stage": config.stage.model_copy(update={"n_envs": 2})})
    return kind, kind.make(get_species("velociraptor"), small, seed=0).policy()


def test_what_a_learner_made_it_can_go_on_from(made: tuple[LearnerKind, Policy]) -> None:
    kind, policy = made
    kind.check_warm_start(policy)


def test_without_any_one_array_of_the_training_it_is_refused(made: tuple[LearnerKind, Policy]) -> None:
    kind, policy = made
    extra = [name for name in policy.arrays if not name.startswith(("actor/", "norm/")) and name != "log_ent_coef"]
    assert sorted(extra) == sorted(kind.begins_from(policy))
    for name in extra:
        less = {key: array for key, array in policy.arrays.items() if key != name}
        with pytest.raises(UserError, match=f"lacks {name}, so it can act but not be trained on"):
            kind.check_warm_start(replace(policy, arrays=less))
        other = {**policy.arrays, name: np.zeros((3, 2), np.float32)}
        with pytest.raises(UserError, match=rf"{name} of the policy is float32 \[3, 2\] instead of"):
            kind.check_warm_start(replace(policy, arrays=other))


def test_another_learners_policy_is_refused(made: tuple[LearnerKind, Policy]) -> None:
    kind, policy = made
    with pytest.raises(UserError, match="was trained by somebody"):
        kind.check_warm_start(replace(policy, info={**policy.info, "learner": "somebody"}))


def test_the_one_check_says_so_before_a_folder_is_made(tmp_path: Path) -> None:
    whole = load_policy(shipped_policy("trex", 1))
    actor = {name: array for name, array in whole.arrays.items() if not name.startswith("critic")}
    file = tmp_path / "actor.zip"
    file.write_bytes(replace(whole, arrays=actor).to_bytes())
    (sentence,) = problems(RunSpec("trex", stage=2, load=file))
    assert sentence.startswith("the policy lacks critic/0/bias")
