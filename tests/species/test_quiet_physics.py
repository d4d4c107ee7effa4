"""Physics that diverges is counted by the engine; MuJoCo writes no line about it, on the screen or into a file."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from mesozoic.species import Species


def test_a_world_that_diverges_leaves_no_log_where_the_user_is(
    species: Species, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for model in (species.load_model(), species.load_physics_model()):
        data = mujoco.MjData(model)
        data.qpos[:] = np.nan
        data.qvel[:] = 1e30
        mujoco.mj_step(model, data)
        assert sum(data.warning.number) > 0, "it did diverge"
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
