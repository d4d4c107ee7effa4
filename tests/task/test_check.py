"""A stage and an animal that do not fit are refused before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesozoic import task
from mesozoic.config import EnvSection, load_file
from mesozoic.errors import UserError
from mesozoic.sim.native_env import native_env
from mesozoic.species import Species, get_species
from mesozoic.species.anatomy import Anatomy, anatomy_of
from mesozoic.species.stages import configs_folder

SHIPPED = sorted(configs_folder().glob("*/*.toml"))


def _walking(*offsets: float) -> EnvSection:
    return EnvSection(gait_frequency=0.3, gait_offsets=offsets)


@pytest.fixture
def four_footed(anatomy: Anatomy) -> Anatomy:
    names = ("front_left", "front_right", "hind_left", "hind_right")
    return replace(anatomy, foot_names=names, foot_mirror=np.array([1, 0, 3, 2]))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_stage_fits_its_animal(path: Path) -> None:
    species = get_species(path.parent.name)
    task.check_stage(anatomy_of(species, species.load_model()), load_file(path).env)


@pytest.mark.parametrize("offsets", [(0.0, 0.5), (0.5, 0.0), (0.9, 0.4), (0.25, -0.25), (-1.0, 0.5), (0.1, 0.6)])
def test_left_and_right_half_a_stride_apart_are_fine(anatomy: Anatomy, offsets: tuple[float, ...]) -> None:
    task.check_stage(anatomy, _walking(*offsets))


@pytest.mark.parametrize("offsets", [(0.0, 0.5, 0.25, 0.75), (0.0, 0.5, 0.5, 0.0), (0.0, 0.5, 0.0, 0.5)])
def test_fore_and_hind_feet_may_differ_as_they_like(four_footed: Anatomy, offsets: tuple[float, ...]) -> None:
    task.check_stage(four_footed, _walking(*offsets))


@pytest.mark.parametrize("offsets", [(), (0.0,), (0.0, 0.5, 0.0, 0.5)])
def test_a_gait_for_another_number_of_feet_is_refused(anatomy: Anatomy, offsets: tuple[float, ...]) -> None:
    with pytest.raises(UserError) as caught:
        task.check_stage(anatomy, _walking(*offsets))
    message = str(caught.value)
    assert f"env.gait_offsets has {len(offsets)} numbers, but velociraptor has 2 feet (left, right)" in message
    assert "\n" not in message


@pytest.mark.parametrize("offsets", [(0.0, 0.0), (0.0, 0.4), (0.3, 0.3), (0.0, 1.0)])
def test_a_lopsided_gait_is_refused(anatomy: Anatomy, offsets: tuple[float, ...]) -> None:
    with pytest.raises(UserError) as caught:
        task.check_stage(anatomy, _walking(*offsets))
    message = str(caught.value)
    assert f"env.gait_offsets = {list(offsets)}" in message
    assert "half a stride apart" in message
    assert "left, right" in message
    assert "\n" not in message


def test_one_lopsided_pair_is_enough(four_footed: Anatomy) -> None:
    with pytest.raises(UserError, match="front_left, front_right, hind_left, hind_right"):
        task.check_stage(four_footed, _walking(0.0, 0.5, 0.25, 0.5))


@pytest.mark.parametrize("offsets", [(), (0.0, 0.0), (0.0, 0.5, 0.25)])
def test_a_gait_that_is_off_is_not_judged(anatomy: Anatomy, offsets: tuple[float, ...]) -> None:
    task.check_stage(anatomy, EnvSection(gait_offsets=offsets))


def test_an_environment_refuses_what_does_not_fit(species: Species) -> None:
    with pytest.raises(UserError, match="half a stride apart"):
        native_env(species, _walking(0.0, 0.0), 1, seed=0)
