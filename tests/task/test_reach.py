"""Reaching the prey: where it is, what counts as a strike, how long it must hold, and what it pays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task.reach import hold_steps
from mesozoic.task.reach_terms import FASTEST

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]
Standing = Callable[[EnvSection, int], Scene]
Floats = NDArray[np.float32]

HUNT = EnvSection(
    alive_bonus=0.0,
    target_froude=0.1,
    gait_frequency=0.3,
    prey_distance_range=(1.0, 1.0),
    hold_time=0.1,
    approach_weight=1.0,
    task_bonus=8.0,
)
ANYWHERE = st.floats(0.0, 1.0, exclude_max=True, width=32)


def _sites(anatomy: Anatomy, state: task.TaskState, gap: ArrayLike, direction: ArrayLike = (0.6, 0.0, 0.8)) -> Floats:
    """Strike sites [n, nsites, 3]: the last one `gap` [n] hip heights from the target, the others farther away."""
    n, sites = len(state.step), len(anatomy.strike_site_ids)
    away = np.broadcast_to(np.asarray(gap, dtype=float), n)[:, None] + np.arange(sites)[::-1]
    unit = np.asarray(direction) / np.linalg.norm(direction)
    return (state.target[:, None] + anatomy.hip_height * away[:, :, None] * unit).astype(np.float32)


def _tilted(sensed: task.Sensed, degrees: float) -> task.Sensed:
    """The torso pitched (in place of its heading, which does not matter here)."""
    half, qpos = np.radians(degrees) / 2, sensed.qpos.copy()
    qpos[:, 3:7] = [np.cos(half), 0.0, np.sin(half), 0.0]
    return sensed._replace(qpos=qpos)


def _blocks(anatomy: Anatomy, observation: Floats) -> dict[str, Floats]:
    layout = task.observation_layout(anatomy)
    parts = np.split(observation, np.cumsum([block.size for block in layout])[:-1], axis=-1)
    return {block.name: part for block, part in zip(layout, parts, strict=True)}


@given(
    st.floats(0.0, 1.0),
    st.floats(0.02, 0.9),
    st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
)
def test_a_strike_is_a_site_within_the_radius(
    anatomy: Anatomy, standing: Standing, gap: float, radius: float, direction: tuple[float, float, float]
) -> None:
    assume(abs(gap - radius) > 1e-4)
    env = HUNT.model_copy(update={"reach_radius": radius})
    state, sensed, action = standing(env, 1)
    sensed = sensed._replace(site_pos=_sites(anatomy, state, gap, direction))
    step = task.judge(np, anatomy, env, state, sensed, action)
    assert step.state.gap[0] == pytest.approx(gap, abs=1e-5)
    assert step.state.struck.tolist() == [0 if gap < radius else -1]
    assert step.rewards["task"].tolist() == [4.0 if gap < radius else 0.0]
    assert not (step.succeeded | step.terminated | step.truncated).any()


@pytest.mark.parametrize(
    ("degrees", "height", "struck"),
    [(0, 1.0, True), (34, 1.0, True), (36, 1.0, False), (59, 1.0, False), (61, 1.0, False), (0, 0.59, False)],
)
def test_only_an_upright_animal_strikes(
    anatomy: Anatomy, standing: Standing, degrees: float, height: float, struck: bool
) -> None:
    state, sensed, action = standing(HUNT, 1)
    sensed = _tilted(sensed, degrees)._replace(site_pos=_sites(anatomy, state, 0.0))
    sensed.qpos[:, 2] *= height
    step = task.judge(np, anatomy, HUNT, state, sensed, action)
    assert (step.state.struck >= 0).tolist() == [struck]
    assert (step.rewards["task"] > 0).tolist() == [struck]


def test_one_that_topples_over_the_prey_while_falling_is_not_lenient(anatomy: Anatomy, standing: Standing) -> None:
    """A strike may allow more tilt than a fall does; the fall decides."""
    env = HUNT.model_copy(update={"reach_tilt": 80.0})
    state, sensed, action = standing(env, 1)
    sensed = _tilted(sensed, 70)._replace(site_pos=_sites(anatomy, state, 0.0))
    step = task.judge(np, anatomy, env, state, sensed, action)
    assert step.terminated.tolist() == [True]
    assert step.state.struck.tolist() == [-1]


def test_without_prey_nothing_is_ever_reached(anatomy: Anatomy, standing: Standing) -> None:
    env = HUNT.model_copy(update={"prey_distance_range": None})
    state, sensed, action = standing(env, 1)
    step = task.judge(np, anatomy, env, state, sensed._replace(site_pos=_sites(anatomy, state, 0.0)), action)
    assert step.state.struck.tolist() == [-1]
    assert not (step.succeeded | step.rewards["task"].astype(bool)).any()


def test_hold_time_is_in_control_steps_and_at_least_one(anatomy: Anatomy) -> None:
    for seconds, steps in [(0.0, 1), (0.02, 1), (0.1, 5), (0.5, 25), (0.509, 25)]:
        assert hold_steps(anatomy, HUNT.model_copy(update={"hold_time": seconds})) == steps


@given(st.floats(0.0, 0.4), st.integers(0, 4))
def test_a_strike_that_is_held_succeeds_and_ends_the_episode(
    anatomy: Anatomy, standing: Standing, hold_time: float, delay: int
) -> None:
    """Half of the bonus at the strike, half at the end, nothing between, wherever the animal goes after the strike."""
    env = HUNT.model_copy(update={"hold_time": hold_time})
    state, sensed, action = standing(env, 1)
    near, far = (sensed._replace(site_pos=_sites(anatomy, state, gap)) for gap in (0.0, 0.9))
    end, bonus = delay + hold_steps(anatomy, env), []
    for i in range(end + 1):
        step = task.judge(np, anatomy, env, state, near if i == delay else far, action)
        state = step.state
        bonus.append(float(step.rewards["task"][0]))
        assert state.struck.tolist() == [max(i - delay, -1)]
        assert step.succeeded.tolist() == step.terminated.tolist() == [i == end]
        assert not step.truncated.any()
        assert not any(reason.any() for reason in step.reasons.values())
    assert bonus == [4.0 if i in (delay, end) else 0.0 for i in range(end + 1)]


@pytest.mark.parametrize("fall", range(1, 6))
def test_a_fall_after_the_strike_is_no_success(anatomy: Anatomy, standing: Standing, fall: int) -> None:
    """Even in the very step that would have been the last one to hold."""
    state, sensed, action = standing(HUNT, 2)
    near = sensed._replace(site_pos=_sites(anatomy, state, 0.0))
    low = near._replace(qpos=near.qpos.copy())
    low.qpos[1, 2] *= 0.5
    total = np.zeros(2)
    for i in range(fall + 1):
        step = task.judge(np, anatomy, HUNT, state, low if i == fall else near, action)
        state = step.state
        total += step.rewards["task"]
        assert not step.succeeded[1]
    assert step.terminated.tolist() == [fall == 5, True]
    assert step.reasons["low"].tolist() == [False, True]
    assert total.tolist() == [8.0 if fall == 5 else 4.0, 4.0]


def test_after_the_strike_the_target_is_gone_and_the_animal_should_stand(anatomy: Anatomy, standing: Standing) -> None:
    """Worlds: not struck, striking now, struck before."""
    state, sensed, action = standing(HUNT, 3)
    state.struck[2] = 1
    sensed = sensed._replace(site_pos=_sites(anatomy, state, [0.5, 0.0, 0.5]))
    step = task.judge(np, anatomy, HUNT, state, sensed, action)
    seen = _blocks(anatomy, step.observation)
    assert seen["command"][0, 0] == pytest.approx(np.sqrt(HUNT.target_froude))
    assert seen["target_distance"][0, 0] == pytest.approx(0.1)
    height = anatomy.home_qpos[2] / anatomy.hip_height
    np.testing.assert_allclose(seen["target_near"][0], [1.0, 0.0, 0.5 - height], atol=1e-5)
    for world in (1, 2):
        assert seen["target_dir"][world].tolist() == [1.0, 0.0]
        for name in ("target_distance", "target_near", "command"):
            assert not seen[name][world].any(), name
    assert (np.abs(seen["clock"]).max(axis=1) > 0).all(), "the clock goes on"


def test_after_the_strike_facing_and_nearing_the_prey_no_longer_matter(anatomy: Anatomy, standing: Standing) -> None:
    env = HUNT.model_copy(update={"heading_weight": 1.0, "forward_vel_weight": 1.0, "prey_distance_range": (1.0, 1.0)})
    state, sensed, action = standing(env, 2)
    state.struck[1] = 1
    state.target[:, :2] *= -1  # behind it
    sensed.qvel[:, :2] = 0.2 * anatomy.speed_unit
    sensed = sensed._replace(site_pos=_sites(anatomy, state, state.gap - 0.05))
    rewards = task.judge(np, anatomy, env, state, sensed, action).rewards
    np.testing.assert_allclose(rewards["heading"], [0.0, 1.0], atol=0.01)
    for term in ("approach", "forward_vel"):
        assert rewards[term][0] != 0.0
        assert rewards[term][1] == 0.0


@given(st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=40))
def test_approach_adds_up_to_the_distance_closed(anatomy: Anatomy, standing: Standing, speeds: list[float]) -> None:
    """At speeds that are not cut off, forth and back, the sum is where it ended against where it began."""
    env = HUNT.model_copy(update={"reach_radius": 1e-9})
    state, sensed, action = standing(env, 1)
    share = anatomy.dt / anatomy.time_unit
    gaps = 5.0 - share * np.cumsum([0.0, *speeds]) * 0.999
    state, _ = task.begin(np, anatomy, env, state, sensed._replace(site_pos=_sites(anatomy, state, gaps[0])))
    total = 0.0
    for gap, speed in zip(gaps[1:], speeds, strict=True):
        step = task.judge(np, anatomy, env, state, sensed._replace(site_pos=_sites(anatomy, state, gap)), action)
        state = step.state
        assert step.rewards["approach"][0] == pytest.approx(0.999 * speed, abs=1e-4)
        total += float(step.rewards["approach"][0]) * share
    assert total == pytest.approx(gaps[0] - gaps[-1], abs=1e-4)


def test_approach_is_cut_off_and_paid_up_to_the_strike_only(anatomy: Anatomy, standing: Standing) -> None:
    """Worlds: a leap to the prey, a leap away from it, the step that strikes, after the strike. Speed likewise."""
    env = HUNT.model_copy(update={"forward_vel_weight": 1.0})
    state, sensed, action = standing(env, 4)
    share = anatomy.dt / anatomy.time_unit
    state = state._replace(
        gap=np.array([1.0, 1.0, 0.1 + 0.5 * share, 0.5], dtype=np.float32),
        struck=np.array([-1, -1, -1, 0], dtype=np.int32),
    )
    sensed.qvel[:, :2] = state.target[:, :2] / anatomy.hip_height * np.sqrt(env.target_froude) * anatomy.speed_unit
    sensed = sensed._replace(site_pos=_sites(anatomy, state, [0.4, 1.6, 0.1, 0.1]))
    step = task.judge(np, anatomy, env, state, sensed, action)
    np.testing.assert_allclose(step.rewards["forward_vel"], [1.0, 1.0, 1.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(step.rewards["approach"], [1.0, -FASTEST, 0.5, 0.0], atol=1e-4)
    assert step.state.struck.tolist() == [-1, -1, 0, 1]


def test_proximity_fades_with_the_distance(anatomy: Anatomy, standing: Standing) -> None:
    env = EnvSection(proximity_weight=1.0, prey_distance_range=(2.0, 2.0))
    state, sensed, action = standing(env, 3)
    sensed = sensed._replace(site_pos=_sites(anatomy, state, [0.0, 1.0, 3.0]))
    step = task.judge(np, anatomy, env, state, sensed, action)
    np.testing.assert_allclose(step.rewards["proximity"], np.exp([0.0, -1.0, -3.0]), rtol=1e-4)


def _reset(anatomy: Anatomy, env: EnvSection, n: int = 400) -> tuple[Floats, Floats, Floats]:
    """Distance in hip heights, bearing from the heading in degrees, and height in hip heights of each target."""
    samples = np.random.default_rng(0).random((n, task.uniforms_per_reset(anatomy, env)), dtype=np.float32)
    state, qpos, _ = task.reset(np, anatomy, env, samples)
    yaw = 2 * np.arctan2(qpos[:, 6], qpos[:, 3])
    assert np.ptp(yaw % (2 * np.pi)) > 6.0, "headings are not random"
    x, y, z = (state.target / anatomy.hip_height).T
    bearing = np.degrees((np.arctan2(y, x) - yaw + np.pi) % (2 * np.pi) - np.pi)
    return np.hypot(x, y), bearing, z


@given(st.tuples(ANYWHERE, ANYWHERE), st.tuples(ANYWHERE, ANYWHERE), st.floats(0.0, 179.0))
def test_prey_appears_anywhere_within_its_ranges(
    anatomy: Anatomy, distances: tuple[float, float], heights: tuple[float, float], widest: float
) -> None:
    near, far = sorted(10.0 * distance for distance in distances)
    low, high = sorted(3.0 * height for height in heights)
    assume(near >= 0.1)
    env = EnvSection(prey_distance_range=(near, far), prey_height_range=(low, high), target_bearing=widest)
    for values, (least, most), slack in zip(
        _reset(anatomy, env), [(near, far), (-widest, widest), (low, high)], (1e-4, 0.1, 1e-4), strict=True
    ):
        assert values.min() >= least - slack
        assert values.max() <= most + slack
        assert values.min() <= least + 0.05 * (most - least) + slack
        assert values.max() >= most - 0.05 * (most - least) - slack


def test_distance_bearing_and_height_are_drawn_on_their_own(anatomy: Anatomy) -> None:
    env = EnvSection(prey_distance_range=(1.0, 5.0), prey_height_range=(0.2, 1.5), target_bearing=60.0)
    together = np.array(np.corrcoef(_reset(anatomy, env, 2000)))
    assert np.abs(together[~np.eye(3, dtype=bool)]).max() < 0.08


def test_without_prey_the_target_is_far_away_on_the_floor(anatomy: Anatomy) -> None:
    distance, bearing, height = _reset(anatomy, EnvSection(target_bearing=30.0))
    np.testing.assert_allclose(distance, 50.0, rtol=1e-5)
    assert 28.0 < np.abs(bearing).max() < 30.1
    assert not height.any()


def test_the_first_gap_is_that_of_the_nearest_site(anatomy: Anatomy, standing: Standing) -> None:
    state, sensed, _ = standing(HUNT, 3)
    begun, _ = task.begin(np, anatomy, HUNT, state, sensed._replace(site_pos=_sites(anatomy, state, [0.3, 0.7, 2.0])))
    np.testing.assert_allclose(begun.gap, [0.3, 0.7, 2.0], rtol=1e-5)
    assert begun.struck.tolist() == [-1, -1, -1]
