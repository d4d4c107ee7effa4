"""What NumPy may leave out, or does in another way for speed, changes no bit for any number of worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.sim.clearance import clearance
from mesozoic.sim.native import Groups
from mesozoic.sim.native_env import native_env
from mesozoic.species import get_species, load_stage
from mesozoic.species.anatomy import Anatomy
from mesozoic.task import arrays, constants, gait_clock, kinematics, mdp, pushes, termination

ANIMALS = ("velociraptor", "trex", "brachiosaurus")
STAGES = [(animal, stage) for animal in ANIMALS for stage in (1, 2, 3)]
USERS: tuple[Any, ...] = (kinematics, mdp, pushes, termination)
"""Who asks `nowhere` before it leaves something out."""


def lived(animal: str, env_section: EnvSection, n: int, steps: int) -> list[bytes]:
    """All that a batch answers and keeps: falls, pushes, resets and a world whose physics breaks down included."""
    env = native_env(get_species(animal), env_section, n, seed=4, random_age=True)
    env.reset()
    rng, seen = np.random.default_rng(n), []
    for t in range(steps):
        if t == steps // 2:
            state = env.engine.state()
            state["physics"][0, 1 + env.anatomy.nq] = np.nan
            env.engine.set_state(state)
        action = (0.4 * rng.standard_normal((n, env.action_size))).astype(np.float32)
        step = env.step(action)
        parts = [step.observation, step.next_observation, step.reward, step.succeeded, step.terminated, step.truncated]
        parts += [*step.terms.values(), *step.reasons.values(), *env.task_state]
        seen.append(b"".join(np.ascontiguousarray(part).tobytes() + str(part.dtype).encode() for part in parts))
    return seen


def without_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the task is computed where nothing is known of values: under `jax.numpy`."""
    for module in USERS:
        monkeypatch.setattr(module, "nowhere", lambda xp, mask: False)
    for module in (kinematics, gait_clock):
        monkeypatch.setattr(module, "columns", lambda xp, parts: xp.stack(parts, axis=1))


@pytest.mark.parametrize("n", [1, 5, 64])
@pytest.mark.parametrize(("animal", "stage"), STAGES)
def test_every_stage_is_the_same_without_them(animal: str, stage: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    env = load_stage(animal, stage).env
    expected = lived(animal, env, n, 90)
    without_shortcuts(monkeypatch)
    assert lived(animal, env, n, 90) == expected


@pytest.mark.parametrize("n", [1, 5, 64])
def test_every_term_is_the_same_without_them(n: int, busy_env: EnvSection, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = lived("velociraptor", busy_env, n, 90)
    without_shortcuts(monkeypatch)
    assert lived("velociraptor", busy_env, n, 90) == expected


def test_all_who_leave_something_out_ask_in_the_one_way() -> None:
    """Or the tests above would compare a shortcut with itself."""
    import pkgutil
    from importlib import import_module

    found = {
        module
        for info in pkgutil.iter_modules(task.__path__)
        if hasattr(module := import_module(f"mesozoic.task.{info.name}"), "nowhere") and module is not arrays
    }
    assert found == set(USERS)


def test_the_rotation_matrix_is_that_of_the_formula() -> None:
    """To the bit, with what is doubled first and what last."""
    rng = np.random.default_rng(0)
    quaternions = rng.standard_normal((200, 4)).astype(np.float32)
    quaternions[:4] = [[1, 0, 0, 0], [0.6, 0, 0, -0.8], [0.5, -0.5, 0.5, 0.5], [0, 1, 0, 0]]
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    expected = np.moveaxis(np.array(rows), 2, 0)
    found = kinematics._rotation(np, quaternions)
    assert (found.dtype, found.tobytes()) == (np.dtype(np.float32), np.ascontiguousarray(expected).tobytes())


NUMBERS = np.array([0.3, -1.7, 0.0, -0.0, 1e-30, 3e5, np.inf, np.nan], dtype=np.float32)
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: b - a,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "divided": lambda a, b: b / a,
    "least": np.minimum,
    "most": np.maximum,
    "remainder": lambda a, b: a % b,
    "less": lambda a, b: a < b,
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("number", [0.1, 2.0, -1.0, 1e-6, 2.0 * np.pi, 1.0 / 3.0])
def test_a_number_as_an_array_gives_what_the_number_gives(operation: Callable[[Any, Any], Any], number: float) -> None:
    plain, kept = operation(NUMBERS, number), operation(NUMBERS, constants.single(number))
    assert (plain.dtype, plain.tobytes()) == (kept.dtype, kept.tobytes())


def test_what_is_remembered_belongs_to_the_very_objects_asked_about() -> None:
    asked = []

    @constants.once
    def size(thing: list[int]) -> int:
        asked.append(len(thing))
        return len(thing)

    things = [[0] * i for i in range(3)]
    assert [size(thing) for thing in things * 2] == [0, 1, 2] * 2
    assert asked == [0, 1, 2]
    for i in range(3 * constants.REMEMBERED):  # each is forgotten by all others and another takes its place in memory
        assert size([0] * (i % 7)) == i % 7


def test_constants_cannot_be_written_to() -> None:
    for constant in (constants.single(0.25), constants.whole(3)):
        with pytest.raises(ValueError, match="read-only"):
            constant[...] = 1


@pytest.mark.parametrize("n", [1, 5, 64])
def test_sums_and_means_over_groups_are_those_of_each_group(n: int) -> None:
    rng = np.random.default_rng(n)
    groups = ((3, 4, 5, 6, 9, 10, 11, 12), (0, 1, 2), (7,))
    forces, places = rng.standard_normal((n, 13)), rng.standard_normal((n, 13, 3))
    alone = np.stack([forces[:, list(group)].sum(axis=1) for group in groups], axis=1)
    np.testing.assert_allclose(Groups(groups).sum(forces), alone, rtol=1e-14, atol=1e-14)
    alone = np.stack([places[:, list(group)].mean(axis=1) for group in groups], axis=1)
    np.testing.assert_allclose(Groups(groups).mean(places), alone, rtol=1e-14, atol=1e-14)


def test_clearance_in_double_precision_is_that_of_the_product_itself(anatomy: Anatomy) -> None:
    rng, bodies = np.random.default_rng(0), anatomy.underside.shape[0] // 4
    xpos, xmat = rng.standard_normal((7, bodies, 3)), rng.standard_normal((7, bodies, 9))
    flat = np.concatenate([xpos[..., 2:], xmat[..., 6:]], axis=-1).reshape(7, -1)
    expected = np.min(flat @ anatomy.underside - anatomy.underside_radius, axis=-1, initial=anatomy.hip_height)
    np.testing.assert_array_equal(clearance(np, anatomy, xpos, xmat), expected)
