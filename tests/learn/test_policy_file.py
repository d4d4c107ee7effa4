"""The portable policy: what it computes, its bytes, and that NumPy is all it needs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mesozoic.errors import UserError
from mesozoic.learn.normaliser import normalise
from mesozoic.learn.policy import Policy, check_policy_fits, load_policy
from mesozoic.learn.ppo.networks import ACTIVATION, ActorCritic

LAYOUT = (("gravity", 3), ("joints", 4))


def random_policy(seed: int = 0) -> Policy:
    """A policy with random weights that Flax initialised."""
    rng = np.random.default_rng(seed)
    params = ActorCritic((8, 6), 7, 2).init(jax.random.key(seed), -1.0)
    arrays = {
        f"actor/{layer}/{name}": np.asarray(array) + 0.2 * rng.normal(size=array.shape).astype(np.float32)
        for layer, table in params["actor"].items()
        for name, array in table.items()
    }
    arrays |= {"norm/mean": rng.normal(size=7).astype(np.float32), "norm/std": np.linspace(0.1, 3, 7, dtype=np.float32)}
    arrays |= {"value_scale/mean": np.float32(seed) * np.ones((), np.float32)}
    return Policy("velociraptor", 1, LAYOUT, ACTIVATION, arrays, {"step": 5})


def write(policy: Policy, path: Path) -> Path:
    path.write_bytes(policy.to_bytes())
    return path


def test_acts_as_the_flax_network_does() -> None:
    policy, net = random_policy(), ActorCritic((8, 6), 7, 2)
    actor = {str(i): {k: policy.arrays[f"actor/{i}/{k}"] for k in ("kernel", "bias")} for i in range(3)}
    observation = np.random.default_rng(1).normal(size=(500, 7)).astype(np.float32)
    observation[:50] *= 1e3  # beyond the clip of normalised observations
    seen = normalise(np, observation, policy.arrays["norm/mean"], policy.arrays["norm/std"])
    raw = net.mean({"actor": actor}, seen)
    action = policy.act(observation)
    np.testing.assert_allclose(action, jnp.clip(raw, -1.0, 1.0), atol=1e-5)
    clipped = (np.abs(action) == 1.0).mean()
    assert 0.05 < clipped < 0.95, "the comparison should see actions on both sides of the clip"
    assert action.dtype == np.float32


def test_file_keeps_everything_bit_for_bit(tmp_path: Path) -> None:
    policy = random_policy()
    loaded = load_policy(write(policy, tmp_path / "p.zip"))
    assert replace(loaded, arrays={}) == replace(policy, arrays={})
    assert loaded.arrays.keys() == policy.arrays.keys()
    for name, array in policy.arrays.items():
        assert loaded.arrays[name].shape == array.shape, name
        assert loaded.arrays[name].dtype == array.dtype, name
        assert loaded.arrays[name].tobytes() == array.tobytes(), name
    assert loaded.to_bytes() == policy.to_bytes()
    assert (loaded.hidden, loaded.action_size, loaded.observation_size) == ((8, 6), 2, 7)


def test_equal_policies_are_equal_files_and_others_are_not() -> None:
    policy = random_policy()
    backwards = replace(policy, arrays=dict(reversed(policy.arrays.items())))
    assert backwards.to_bytes() == policy.to_bytes()
    assert random_policy(1).to_bytes() != policy.to_bytes()
    assert replace(policy, info={"step": 6}).to_bytes() != policy.to_bytes()


def test_loads_and_acts_with_numpy_alone(tmp_path: Path) -> None:
    path = write(random_policy(), tmp_path / "p.zip")
    code = f"""
import sys
sys.modules["gymnasium"] = None  # as where it is not installed
import numpy as np
from pathlib import Path
from mesozoic.learn.policy import load_policy
assert load_policy(Path({str(path)!r})).act(np.zeros((2, 7), np.float32)).shape == (2, 2)
heavy = sorted({{"jax", "flax", "optax", "mujoco", "mjbatch", "torch"}} & set(sys.modules))
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_fitting_policy_is_accepted() -> None:
    check_policy_fits(random_policy(), "velociraptor", LAYOUT, 2)


@pytest.mark.parametrize(
    ("species", "layout", "actions", "reason"),
    [
        ("trex", LAYOUT, 2, "of species 'velociraptor', not 'trex'"),
        (
            "velociraptor",
            (("gravity", 3), ("joints", 5)),
            2,
            r"observes 7 values, the task gives 8 \(differing: joints\)",
        ),
        ("velociraptor", (("gravity", 3), ("feet", 4)), 2, "differing: feet, joints"),
        ("velociraptor", LAYOUT[::-1], 2, "differing: their order"),
        ("velociraptor", LAYOUT, 3, "has 2 actions, the animal 3"),
    ],
)
def test_a_policy_of_something_else_is_refused_with_the_reason(
    species: str, layout: tuple[tuple[str, int], ...], actions: int, reason: str
) -> None:
    with pytest.raises(UserError, match=reason):
        check_policy_fits(random_policy(), species, layout, actions)
