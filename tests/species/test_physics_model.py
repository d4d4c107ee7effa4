"""The model without what only looks moves like the full one, bit for bit."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from mesozoic.species import get_species, species_names
from mesozoic.species.anatomy import anatomy_of

STEPS = 60


def _run(model: mujoco.MjModel, controls: np.ndarray) -> tuple[np.ndarray, ...]:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    rows = []
    for ctrl in controls:
        data.ctrl = ctrl
        mujoco.mj_step(model, data)
        rows.append((data.qpos.copy(), data.qvel.copy(), data.sensordata.copy(), data.site_xpos.copy()))
    return tuple(np.stack(part) for part in zip(*rows, strict=True))


@pytest.mark.parametrize("name", species_names())
def test_it_moves_like_the_full_model(name: str) -> None:
    species = get_species(name)
    full, thin = species.load_model(), species.load_physics_model()
    assert thin.ngeom < full.ngeom / 10
    noise = np.random.default_rng(0).standard_normal((STEPS, full.nu))
    controls = anatomy_of(species, full).home_ctrl + 0.3 * noise
    for one, other in zip(_run(full, controls), _run(thin, controls), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", species_names())
def test_the_same_is_known_of_it(name: str) -> None:
    species = get_species(name)
    full, thin = (anatomy_of(species, model) for model in (species.load_model(), species.load_physics_model()))
    for field in full.__dataclass_fields__:
        if field != "foot_geoms":  # ids of geoms differ, what they are does not
            np.testing.assert_array_equal(getattr(full, field), getattr(thin, field), err_msg=field)
