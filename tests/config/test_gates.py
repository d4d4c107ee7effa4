"""The gates that ship are no weaker than what a solved stage means."""

from __future__ import annotations

import pytest

from mesozoic.evaluation.wilson import wilson
from mesozoic.species import load_stage, species_names, stage_files

SPECIES = species_names()


@pytest.mark.parametrize("species", SPECIES)
def test_every_animal_has_three_stages(species: str) -> None:
    assert [load_stage(species, stage).env.task for stage in sorted(stage_files(species))] == [
        "balance",
        "locomotion",
        "behaviour",
    ]


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_gate_uses_enough_episodes_and_lower_bounds(species: str, stage: int) -> None:
    plan = load_stage(species, stage).curriculum
    assert plan.eval_episodes >= 64 and plan.required_consecutive >= 3
    assert 0.7 <= plan.min_success_low <= wilson(plan.eval_episodes, plan.eval_episodes)[0]


@pytest.mark.parametrize("species", SPECIES)
def test_balance_is_pushed(species: str) -> None:
    stage = load_stage(species, 1)
    assert stage.env.push_velocity_min >= 0.1 and stage.curriculum.min_success_low >= 0.9


@pytest.mark.parametrize("species", SPECIES)
def test_a_walk_is_on_speed_alternating_straight_on_the_floor_and_does_not_skate(species: str) -> None:
    stage = load_stage(species, 2)
    plan = stage.curriculum
    assert plan.speed_tolerance <= 0.2 and plan.max_flight <= 0.05
    assert plan.max_slip <= 0.5
    assert plan.min_alternation >= 0.8 and plan.max_drift <= 0.2 and plan.min_stride_length >= 0.5
    assert stage.env.target_froude >= 0.05 and stage.env.push_velocity_max > 0.0
    assert plan.min_success >= 0.8


@pytest.mark.parametrize("species", SPECIES)
def test_a_strike_is_from_both_sides_and_counts_only_upright(species: str) -> None:
    stage = load_stage(species, 3)
    assert stage.env.target_bearing >= 60.0 and stage.env.reach_tilt <= 45.0 and stage.env.hold_time >= 0.2
    assert stage.curriculum.min_success >= 0.8 and stage.curriculum.max_flight <= 0.05
    assert stage.env.prey_distance_range is not None
    near, far = stage.env.prey_distance_range
    assert near - stage.env.reach_radius >= 1.0 and far > near
