"""The gait clock, and the two terms that go by it: standing still earns nothing, hopping loses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mesozoic import task
from mesozoic.config import EnvSection
from mesozoic.species.anatomy import Anatomy
from mesozoic.task import gait_clock
from mesozoic.task.gait_clock import GRACE

Scene = tuple[task.TaskState, task.Sensed, NDArray[np.float32]]
Standing = Callable[[EnvSection, int], Scene]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

WALK = EnvSection(
    alive_bonus=0.0,
    target_froude=0.2,
    gait_frequency=0.3,
    gait_weight=1.0,
    clearance_weight=1.0,
    forward_vel_weight=1.0,
)
N = 2000
STRIDE = (np.arange(N, dtype=np.float32) + np.float32(0.5)) / np.float32(N)
"""The phases of one whole stride, one for each world."""
DUTIES = st.floats(0.5, 0.85)
SHORT_DUTIES = st.floats(0.5, 0.63)
"""With longer ones a statue earns a little: nothing it does is wrong for long."""


def _walk(**changes: object) -> EnvSection:
    return EnvSection.model_validate(WALK.model_dump() | changes)


def _terms(
    anatomy: Anatomy,
    standing: Standing,
    env: EnvSection,
    loaded: Bools | None = None,
    lift: Floats | None = None,
    phase: Floats = STRIDE,
) -> dict[str, Floats]:
    """Rewards of worlds that stand, but for the feet `loaded` and lifted `lift` hip heights, [n, nfeet] each.

    They are judged at `phase` [n].
    """
    state, sensed, action = standing(env, len(phase))
    before = (phase - env.gait_frequency * anatomy.dt / anatomy.time_unit) % 1.0
    if loaded is not None:
        sensed = sensed._replace(foot_force=np.where(loaded, 0.5 * anatomy.weight, 0.0).astype(np.float32))
    if lift is not None:
        raised = sensed.foot_pos.copy()
        raised[:, :, 2] += lift * np.float32(anatomy.hip_height)
        sensed = sensed._replace(foot_pos=raised)
    step = task.judge(np, anatomy, env, state._replace(phase=before.astype(np.float32)), sensed, action)
    np.testing.assert_allclose((step.state.phase - phase + 0.5) % 1.0 - 0.5, 0.0, atol=1e-6)
    return step.rewards


def _should_stand(env: EnvSection, phase: Floats = STRIDE) -> Bools:
    return gait_clock.foot_phase(env, phase) < env.gait_duty


@given(st.floats(0.11, 0.94), st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=4))
def test_each_foot_stands_for_its_share_of_the_stride(duty: float, offsets: list[float]) -> None:
    stands = _should_stand(_walk(gait_duty=duty, gait_offsets=tuple(offsets)))
    assert stands.shape == (N, len(offsets))
    np.testing.assert_allclose(stands.mean(axis=0), duty, atol=2.0 / N)
    # In one run: it lands once and lifts off once in each stride.
    assert (np.abs(np.diff(stands, axis=0, append=stands[:1]).astype(int)).sum(axis=0) == 2).all()


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0, exclude_max=True, width=32), st.integers(0, 200))
def test_the_clock_makes_its_strides_and_stays_within_one(
    anatomy: Anatomy, frequency: float, start: float, steps: int
) -> None:
    env = _walk(gait_frequency=frequency)
    phase = np.array([start], dtype=np.float32)
    for _ in range(steps):
        phase = gait_clock.advance(env, anatomy, phase)
        assert phase.dtype == np.float32
        assert 0.0 <= phase[0] < 1.0
    strides = steps * anatomy.dt / anatomy.time_unit * frequency
    assert abs((phase[0] - start - strides + 0.5) % 1.0 - 0.5) < 1e-4


@given(SHORT_DUTIES)
def test_a_statue_earns_nothing(anatomy: Anatomy, standing: Standing, duty: float) -> None:
    terms = _terms(anatomy, standing, _walk(gait_duty=duty))
    assert terms["gait"].mean() == pytest.approx(0.0, abs=0.01)
    assert not terms["forward_vel"].any()
    assert not terms["clearance"].any()


@given(DUTIES, st.sampled_from([(0.0, 0.5), (0.0, 0.5, 0.75, 0.25), (0.0, 0.5, 0.5, 0.0)]))
def test_a_statue_is_wrong_in_the_middle_of_each_swing(duty: float, offsets: tuple[float, ...]) -> None:
    loaded = np.ones((N, len(offsets)), dtype=bool)
    wrong = gait_clock.wrong_contact(np, _walk(gait_duty=duty, gait_offsets=offsets), STRIDE, loaded)
    assert wrong.mean() == pytest.approx(1.0 - duty - 2.0 * GRACE, abs=4.0 / N)


@given(DUTIES)
def test_perfect_contact_earns_one_all_along(anatomy: Anatomy, standing: Standing, duty: float) -> None:
    env = _walk(gait_duty=duty)
    assert (_terms(anatomy, standing, env, _should_stand(env))["gait"] == 1.0).all()


@pytest.mark.parametrize("duty", [0.5, 0.6, 0.75])
def test_the_wrong_foot_at_all_times_loses(anatomy: Anatomy, standing: Standing, duty: float) -> None:
    env = _walk(gait_duty=duty)
    gait = _terms(anatomy, standing, env, ~_should_stand(env))["gait"]
    assert gait.mean() < -0.4
    assert gait.min() == -1.0


@given(DUTIES, st.integers(0, N - 1), st.floats(0.2, 0.9), st.integers(1, 3))
def test_hopping_earns_less_than_alternating_and_no_more_than_standing(
    anatomy: Anatomy, standing: Standing, duty: float, shift: int, floor: float, hops: int
) -> None:
    """Both feet on the floor together for the share `floor` of each hop, so many hops in a stride, at any time."""
    env = _walk(gait_duty=duty)
    together = np.roll(STRIDE * hops % 1.0 < floor, shift)
    hopping, alternating, statue = (
        _terms(anatomy, standing, env, loaded)["gait"].mean()
        for loaded in (np.stack([together, together], axis=1), _should_stand(env), None)
    )
    assert hopping <= statue + 1e-3
    assert hopping < alternating - (0.9 if duty < 0.63 else 0.05)


def test_hopping_once_a_stride_loses(anatomy: Anatomy, standing: Standing) -> None:
    for shift in range(0, N, N // 20):
        together = np.roll(WALK.gait_duty > STRIDE, shift)
        assert _terms(anatomy, standing, WALK, np.stack([together, together], axis=1))["gait"].mean() < -0.1


@given(DUTIES, st.floats(-0.9, 0.9))
def test_around_touchdown_and_lift_off_either_is_fine(
    anatomy: Anatomy, standing: Standing, duty: float, share: float
) -> None:
    """Within GRACE of an edge the foot there may do as it likes; beyond, it must not."""
    env = _walk(gait_duty=duty)
    for edge in (0.0, duty):
        for distance, fine in ((share * GRACE, True), (np.sign(share) * 1.01 * GRACE, False)):
            if distance == 0.0:
                continue
            phase = np.array([(edge + distance) % 1.0], dtype=np.float32)
            loaded = _should_stand(env, phase)
            loaded[:, 0] = ~loaded[:, 0]
            assert (_terms(anatomy, standing, env, loaded, phase=phase)["gait"][0] == 1.0) == fine


@given(DUTIES, st.floats(0.01, 1.0))
def test_a_swinging_foot_is_lifted_to_its_height_and_a_standing_one_is_not(duty: float, height: float) -> None:
    env = _walk(gait_duty=duty, clearance_height=height)
    wanted = gait_clock.swing_height(np, env, STRIDE)
    stands = _should_stand(env)
    assert wanted.dtype == np.float32
    np.testing.assert_allclose(wanted[stands], 0.0, atol=1e-6)
    assert (wanted > -1e-6).all()
    np.testing.assert_allclose(wanted.max(axis=0), height, rtol=1e-3)
    middle = np.array([(1.0 + duty) / 2.0], dtype=np.float32)
    assert gait_clock.swing_height(np, env, middle)[0, 0] == pytest.approx(height, rel=1e-6)
    ends = np.array([duty + 1e-4, 0.9999], dtype=np.float32)
    assert gait_clock.swing_height(np, env, ends)[:, 0] == pytest.approx(0.0, abs=0.01)


@given(DUTIES, st.floats(0.01, 1.0))
def test_lifting_as_asked_earns_one_and_higher_earns_no_more(
    anatomy: Anatomy, standing: Standing, duty: float, height: float
) -> None:
    env = _walk(gait_duty=duty, clearance_height=height)
    phase = STRIDE[::20]
    wanted = gait_clock.swing_height(np, env, phase)
    earned = {
        share: _terms(anatomy, standing, env, lift=np.float32(share) * wanted, phase=phase)["clearance"]
        for share in (-1.0, 0.5, 1.0, 3.0)
    }
    swinging = wanted.sum(axis=1) > 0.3 * height
    assert swinging.any()
    np.testing.assert_allclose(earned[1.0][swinging], 1.0, atol=1e-4)
    np.testing.assert_allclose(earned[0.5][swinging], 0.5, atol=1e-4)
    assert (earned[1.0][~swinging] < 1.0 + 1e-4).all()
    np.testing.assert_allclose(earned[3.0], earned[1.0], atol=1e-4)
    np.testing.assert_allclose(earned[-1.0], 0.0, atol=1e-6)


def test_lifting_the_foot_that_should_stand_earns_nothing(anatomy: Anatomy, standing: Standing) -> None:
    lift = np.where(_should_stand(WALK), 0.2, 0.0).astype(np.float32)
    np.testing.assert_allclose(_terms(anatomy, standing, WALK, lift=lift)["clearance"], 0.0, atol=1e-6)


def test_without_a_frequency_there_is_no_clock(anatomy: Anatomy, standing: Standing) -> None:
    env = _walk(gait_frequency=0.0)
    state, _, _ = standing(env, 3)
    clock = gait_clock.clock(np, env, state)
    assert clock.shape == (3, 2)
    assert clock.dtype == np.float32
    assert not clock.any()
    terms = _terms(anatomy, standing, env, np.zeros((N, 2), dtype=bool), np.full((N, 2), 0.1, np.float32))
    assert not terms["gait"].any()
    assert not terms["clearance"].any()
