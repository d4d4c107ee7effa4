"""The same search on Vertex AI: its study means the same, and what the service cannot do is said beforehand."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from mesozoic.config import parse_overrides
from mesozoic.errors import UserError, sentences_of
from mesozoic.run.words import sort_arguments
from mesozoic.sweep.engines.vertex import parallel_of, study_of, trial_arguments
from mesozoic.sweep.plan import SweepPlan, SweepRequest, plan_sweep

SPACE: dict[str, Any] = {
    "ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"},
    "ppo_gae_lambda": {"type": "double", "min": 0.9, "max": 0.99},
    "ppo_n_epochs": {"type": "integer", "min": 2, "max": 4},
    "ppo_batch_size": {"type": "discrete", "values": [64, 32]},
    "ppo_net_arch": {"type": "categorical", "values": ["small", [16, 16]]},
    "ppo_gamma": {"type": "discrete", "values": [0.99]},
    "seed": {"type": "discrete", "values": [0, 1]},
}
TINY = ("ppo.n_steps=64", "curriculum.eval_episodes=8", "curriculum.min_success_low=0", "env.max_episode_steps=20")
LEFT = ("curriculum.min_avg_episode_length=0",)


def plan_of(space: dict[str, Any] | None = None, **changes: Any) -> SweepPlan:
    values: dict[str, Any] = {"trials": 3, "timesteps": 1024, "n_envs": 8, "eval_freq": 256, "pruner": "median"}
    text = json.dumps(SPACE if space is None else space)
    return plan_sweep(SweepRequest("velociraptor", 1, text=text, overrides=(*TINY, *LEFT), **values | changes))


def test_the_study_is_the_same_search() -> None:
    study = study_of(plan_of())
    assert study["metrics"] == [{"metricId": "score", "goal": "MAXIMIZE"}]
    assert study["algorithm"] == "ALGORITHM_UNSPECIFIED" and "medianAutomatedStoppingSpec" in study
    log, linear = {"scaleType": "UNIT_LOG_SCALE"}, {"scaleType": "UNIT_LINEAR_SCALE"}
    assert study["parameters"] == [
        {"parameterId": "ppo_learning_rate", **log, "doubleValueSpec": {"minValue": 1e-5, "maxValue": 1e-3}},
        {"parameterId": "ppo_gae_lambda", **linear, "doubleValueSpec": {"minValue": 0.9, "maxValue": 0.99}},
        {"parameterId": "ppo_n_epochs", **linear, "integerValueSpec": {"minValue": "2", "maxValue": "4"}},
        {"parameterId": "ppo_batch_size", "discreteValueSpec": {"values": [32.0, 64.0]}},
        {"parameterId": "ppo_net_arch", "categoricalValueSpec": {"values": ["small", "[16, 16]"]}},
        {"parameterId": "seed", "discreteValueSpec": {"values": [0.0, 1.0]}},
    ]
    assert study_of(plan_of(sampler="random", pruner="none"))["algorithm"] == "RANDOM_SEARCH"
    assert study_of(plan_of(objective="best_mean_reward"))["metrics"][0]["metricId"] == "best_mean_reward"


def test_the_study_is_one_that_the_service_knows() -> None:
    pytest.importorskip("google.cloud.aiplatform_v1", reason="needs the extra [vertex]")
    from google.cloud.aiplatform_v1.types import StudySpec

    found = StudySpec.from_json(json.dumps(study_of(plan_of())))
    assert [one.parameter_id for one in found.parameters] == [name for name in SPACE if name != "ppo_gamma"]
    assert found.measurement_selection_type.name == "LAST_MEASUREMENT"


def test_a_step_becomes_a_list_and_parallel_has_a_default() -> None:
    plan = plan_of(trials=8)
    assert parallel_of(plan) == 5 and parallel_of(plan_of(trials=2)) == 2 and parallel_of(plan_of(parallel=1)) == 1
    from mesozoic.sweep.engines.vertex import _multiples
    from mesozoic.sweep.space import Range

    assert _multiples(Range(0.1, 0.4, step=0.1)) == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_trial_is_told_what_is_fixed_and_reads_what_the_service_adds() -> None:
    words = trial_arguments(plan_of(), PurePosixPath("/gcs/bucket/sweeps/velociraptor"))
    assert words[:2] == ["sweep", "trial"] and "--ppo.gamma=0.99" in words and "--objective=score" in words
    assert words[-1] == "--output-dir=/gcs/bucket/sweeps/velociraptor/stage1"
    added = ["--ppo_learning_rate=0.0003", "--ppo_n_epochs=3.0", "--ppo_net_arch=[16, 16]", "--ppo_batch_size=64.0"]
    found = {one.path: one.value for one in parse_overrides(sort_arguments(added, [], [])[1])}
    assert found["ppo.net_arch"] in ([16, 16], (16, 16)) and found["ppo.n_epochs"] == 3


@pytest.mark.parametrize(
    ("space", "changes", "sentence"),
    [
        (SPACE, {"pruner": "asha"}, "Vertex AI has no pruner 'asha'; give --pruner median or none"),
        (SPACE, {"trials": 1001}, "at most 1,000 trials"),
        (SPACE, {"trials": 200, "parallel": 101}, "at most 100 trials side by side"),
        ({"ppo_gamma": {"type": "discrete", "values": [0.99]}}, {}, "has one value only"),
    ],
)
def test_what_the_service_cannot_do_is_said_beforehand(
    space: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        study_of(plan_of(space, **changes))
    assert sentence in sentences_of(caught.value)[0]


def test_a_grid_takes_no_doubles() -> None:
    with pytest.raises(UserError, match="a grid takes lists of values only; write discrete or categorical parameters"):
        plan_of(sampler="grid")
    grid = {name: SPACE[name] for name in ("ppo_batch_size", "ppo_net_arch")}
    plan = plan_of(grid, sampler="grid", trials=None)
    assert plan.trials == 4 and study_of(plan)["algorithm"] == "GRID_SEARCH"
