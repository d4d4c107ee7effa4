"""The spheres of the underside: what of an animal must stay above the floor, feet aside."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.sim.clearance import clearance
from mesozoic.sim.native import NativeEngine
from mesozoic.species import get_species, species_names
from mesozoic.species.anatomy import anatomy_of
from mesozoic.species.underside import SOLE, TOLERANCE
from tests.support.lowest import lowest_point_but_feet

POSES = 300
TILT = np.radians(60)
SAMPLING = 0.005
"""Hip heights by which the true lowest point may lie below those that were sampled on the surfaces."""


def _random_poses(model: mujoco.MjModel, rng: np.random.Generator) -> NDArray[np.float64]:
    """Poses with all joints anywhere in their range, tilted by up to `TILT` about any horizontal axis, [POSES, nq]."""
    poses = np.tile(model.key_qpos[0], (POSES, 1))
    around, tilt = rng.uniform(0, 2 * np.pi, POSES), rng.uniform(0, TILT, POSES)
    poses[:, 3] = np.cos(tilt / 2)
    poses[:, 4:7] = np.sin(tilt / 2)[:, None] * np.stack([np.cos(around), np.sin(around), 0 * around], axis=1)
    low, high = model.jnt_range[1:].T
    poses[:, 7:] = rng.uniform(low, high, (POSES, model.nq - 7))
    return poses


@pytest.mark.parametrize("name", species_names())
def test_spheres_reach_as_low_as_what_is_seen(name: str) -> None:
    """In poses all over the ranges of the joints: never lower, and higher by no more than the tolerance."""
    species = get_species(name)
    model = species.load_model()
    anatomy, home, data = anatomy_of(species, model), mujoco.MjData(model), mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, home, 0)
    mujoco.mj_kinematics(model, home)
    at_home, judged = home.xmat.reshape(-1, 3, 3), 0
    for pose in _random_poses(model, np.random.default_rng(0)):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        known = clearance(np, anatomy, data.xpos, data.xmat) / species.hip_height
        every, high = lowest_point_but_feet(species, model, data, sole=SOLE)
        assert known >= every - SAMPLING
        turned = (at_home * data.xmat.reshape(-1, 3, 3)).sum(axis=(1, 2))  # 1 + 2 cos of the angle since home
        if (turned >= 1.0).all():  # what hangs upside down was on the floor before
            judged += 1
            assert known <= high + TOLERANCE, pose
    assert judged > POSES / 10


@pytest.mark.parametrize("name", species_names())
def test_standing_animal_touches_nothing(name: str) -> None:
    species = get_species(name)
    model = species.load_model()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_kinematics(model, data)
    assert clearance(np, anatomy_of(species, model), data.xpos, data.xmat) > SOLE * species.hip_height


def test_engine_senses_a_tail_below_the_floor() -> None:
    """Pitched up by 60 degrees, the velociraptor's tail passes the floor while its hips are as high as ever."""
    species = get_species("velociraptor")
    engine = NativeEngine(species, 2)
    home, still = engine.anatomy.home_qpos, np.zeros((2, engine.anatomy.nv), dtype=np.float32)
    reared = home.copy()
    reared[3:7] = np.cos(np.pi / 6), 0.0, -np.sin(np.pi / 6), 0.0
    engine.reset(np.ones(2, dtype=bool), np.stack([home, reared]), still, {})
    standing, rearing = engine.sensed().clearance
    assert standing > 0 > -0.2 > rearing
