"""Archives of Stable-Baselines3 export as every policy does."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

import stable_baselines3
from support.learners import learn_until

from mesozoic.export.policy_export import export_policy
from mesozoic.learn.normaliser import normalise
from mesozoic.run.folder import save_policy


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_an_archive_exports_and_agrees_with_the_model_in_it(algorithm: str, make: Callable, tmp_path: Path) -> None:
    """With what PyTorch computes when SB3 itself loads the archive."""
    _, learner = make(algorithm)
    learn_until(learner, 512)
    policy = learner.policy()
    file = tmp_path / "trained.zip"
    save_policy(file, policy)
    done = export_policy(file, to="npz", check=True)
    assert done.error is not None and done.error <= 1e-6
    assert done.contract["network"]["output"] == {"ppo": "clip", "sac": "tanh"}[algorithm]
    assert done.contract["provenance"]["learner"] == f"sb3-{algorithm}"
    rows, actions = (np.array([row[key] for row in done.contract["vectors"]]) for key in ("obs", "actions"))
    model = getattr(stable_baselines3, algorithm.upper()).load(file)
    scaled = normalise(np, rows, policy.arrays["norm/mean"], policy.arrays["norm/std"]).astype(np.float32)
    theirs, _ = model.predict(scaled, deterministic=True)
    assert np.abs(np.clip(theirs, -1, 1) - actions).max() < 1e-5
    if all(map(find_spec, ("onnx", "onnxruntime"))):
        assert export_policy(file, check=True).sound
