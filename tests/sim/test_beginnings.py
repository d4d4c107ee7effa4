"""Episodes that are prepared ahead are those that would have begun in place, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from mesozoic.config import EnvSection
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.native import NativeEngine
from mesozoic.species import get_species

N = 6


def make(name: str, env: EnvSection, ahead: bool, seed: int = 3) -> BatchEnv:
    species = get_species(name)
    extra = NativeEngine(species, N, threads=2) if ahead else None
    made = BatchEnv(NativeEngine(species, N, threads=2), env, seed, random_age=True, ahead=extra)
    made.reset()
    return made


def actions(env: BatchEnv, steps: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1.0, 1.0, (steps, N, env.action_size)).astype(np.float32)


def lived(env: BatchEnv, steps: np.ndarray) -> tuple[list[bytes], int]:
    """What every step showed, and how many episodes ended."""
    seen, ended = [], 0
    for action in steps:
        transition = env.step(action)
        ended += int((transition.terminated | transition.truncated).sum())
        seen.append(transition.observation.tobytes() + transition.reward.tobytes())
    return seen, ended


@pytest.mark.parametrize("name", ["velociraptor", "trex", "brachiosaurus"])
@pytest.mark.parametrize("friction", [None, (0.4, 1.2)])
def test_the_same_bits_as_in_place(name: str, friction: tuple[float, float] | None, busy_env: EnvSection) -> None:
    offsets = (0.0, 0.5, 0.25, 0.75) if name == "brachiosaurus" else (0.0, 0.5)
    env = busy_env.model_copy(update={"friction_range": friction, "gait_offsets": offsets})
    place, ahead = make(name, env, ahead=False), make(name, env, ahead=True)
    steps = actions(place, 150)
    (expected, ended), (found, _) = lived(place, steps), lived(ahead, steps)
    assert ended > 2 * N, "every world began more than once"
    assert found == expected
    assert ahead.state().keys() == place.state().keys()
    for part in ("physics", "foot_force"):
        assert ahead.state()["engine"][part].tobytes() == place.state()["engine"][part].tobytes()


@pytest.mark.parametrize("friction", [None, (0.4, 1.2)])
def test_goes_on_exactly_from_a_state(friction: tuple[float, float] | None, busy_env: EnvSection) -> None:
    """What waits is no part of the state: it is made again."""
    env = busy_env.model_copy(update={"friction_range": friction})
    first = make("velociraptor", env, ahead=True)
    steps = actions(first, 120)
    lived(first, steps[:60])
    state = first.state()
    expected, ended = lived(first, steps[60:])
    assert ended > N
    for other in (make("velociraptor", env, ahead=True, seed=3), make("velociraptor", env, ahead=False)):
        lived(other, steps[:17])  # has something else waiting
        other.set_state(state)
        assert lived(other, steps[60:])[0] == expected


def test_a_new_seed_begins_its_own_episodes(busy_env: EnvSection) -> None:
    env = make("velociraptor", busy_env, ahead=True)
    lived(env, actions(env, 30))
    env.restart(9)
    np.testing.assert_array_equal(env.reset(), make("velociraptor", busy_env, ahead=False, seed=9).observation)
