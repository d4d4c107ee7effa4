"""Every animal passes every check, and every check fails an animal that has the fault it looks for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from support.animal_package import copy_animal

from mesozoic.species import get_species, load_species, species_names
from mesozoic.species.acceptance import CHECKS, Body, Check
from mesozoic.species.acceptance.body import check_name

body_of = cache(lambda name: Body(get_species(name)))


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("name", species_names())
def test_an_animal_passes(name: str, check: Check) -> None:
    verdict = check(body_of(name))
    assert verdict.passed, verdict.figures


LOW_PART = '<geom class="look" type="sphere" size="0.01" pos="0 0 -0.52"/><camera name="side"'
TOE = '<asset><mesh name="toe" vertex="-.01 -.01 -.01 .1 -.01 -.01 -.01 .01 -.01 -.01 -.01 .01"/>'
FAULTS: dict[str, list[tuple[str, str]]] = {
    "feet are simple shapes": [
        ("<asset>", TOE),
        ('name="left_digit3" class="foot" fromto="-0.015 -0.010 0 0.1 -0.018 0"',
         'name="left_digit3" class="foot" type="mesh" mesh="toe"'),
    ],
    "feet touch the floor at home": [
        ('<body name="left_foot" pos="0 0 -0.11">', '<body name="left_foot" pos="0 0 -0.1">')
    ],
    "nothing but feet touches the floor at home": [('<camera name="side"', LOW_PART)],
    "feet have one height on both sides": [
        ('<body name="left_foot" pos="0 0 -0.11">', '<body name="left_foot" pos="0 0 -0.1">')
    ],
    "only feet collide and only with the floor": [
        ('<geom type="capsule" contype="0" conaffinity="0" group="1"/>', '<geom type="capsule" group="1"/>')
    ],
    "every contact while standing is with the floor": [
        ("<sensor>", '<contact><pair geom1="left_digit3" geom2="left_digit4" margin="1" gap="1"/></contact><sensor>')
    ],
    "feet carry the weight": [('geom2="left_digit3" num="2"', 'geom2="left_digit3" num="1"')],
    "mass lies over the feet": [('mass="0.35"', 'mass="3"')],
    "every left part has a right one": [('<body name="right_shank"', '<body name="wrong_shank"')],
    "sides mirror each other": [('<body name="right_shank" pos="0 0', '<body name="right_shank" pos="0.01 0')],
    "home is symmetrical": [
        ('<position name="right_knee" joint="right_knee" class="knee"/>',
         '<position name="right_knee" joint="right_knee" class="knee" kp="160"/>')
    ],
    "every joint has one servo and no spring": [
        ('<joint armature="0.015" damping="0.3"/>', '<joint armature="0.015" damping="0.3" stiffness="1"/>')
    ],
    "zero action is inside every range": [
        ('<joint axis="0 -1 0" range="0 2"/>', '<joint axis="0 -1 0" range="0 0.1"/>')
    ],
    "a diverged world stays visible": [('<flag autoreset="disable"/>', "")],
    "the side camera follows the animal": [('mode="trackcom"', "")],
    "servos are sized from the weight": [('kp="180"', 'kp="60"')],
    "zero action stands for ten seconds": [('kp="150"', 'kp="15"')],
    "zero action stands from forty noisy starts": [('kp="150"', 'kp="15"')],
    "servos hold home without sagging": [('kp="150"', 'kp="15"')],
    "hip height is that of the model": [("hip_height = 0.50", "hip_height = 0.53")],
    "sizes hold and name a source": [("value = 2.07", "value = 1.07")],
}  # fmt: skip


def test_every_check_has_a_fault_to_find() -> None:
    assert set(FAULTS) == set(map(check_name, CHECKS))


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
def test_a_fault_is_found(tmp_path: Path, check: Check) -> None:
    folder = copy_animal(tmp_path / "raptor")
    for old, new in FAULTS[check_name(check)]:
        files = [folder / name for name in ("model.xml", "facts.toml") if old in (folder / name).read_text()]
        assert files, old
        files[0].write_text(files[0].read_text().replace(old, new))
    verdict = check(Body(load_species(folder)))
    assert not verdict.passed
    assert verdict.figures.isprintable() and len(verdict.figures) <= 300
