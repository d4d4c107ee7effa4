"""Gait figures of made-up animals, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.evaluation.gait import Gait, circular_mean, footfalls, measure_gait, settle_steps, touchdowns
from mesozoic.evaluation.gait_report import footfall_sequence, gait_table, sequence_name

LATERAL = (0.0, 0.5, 0.25, 0.75)
"""Lags of hind left, hind right, front left, front right in a lateral-sequence walk."""


@pytest.fixture(scope="module")
def measure(walk: Any, make_trace: Any) -> Any:
    """`measure(duty=...)`: the figures of one made-up animal, name -> value or [nfeet]."""

    def figures(contact: Any = None, **motion: Any) -> dict[str, Any]:
        gait = measure_gait(make_trace(walk(**motion), contact=contact))
        return {field.name: getattr(gait, field.name)[0] for field in dataclasses.fields(Gait)}

    return figures


def test_a_walk(measure: Any) -> None:
    # A stride of 50 steps of 0.02 s is 1 Hz; at 1 m/s, half of sqrt(g*h), it is 1 m or 1 h long.
    figures = measure()
    assert figures["speed"] == pytest.approx(0.5)
    assert figures["froude"] == pytest.approx(0.25)
    assert figures["stride_frequency"] == pytest.approx(1.0)
    assert figures["stride_length"] == pytest.approx(1.0)
    assert figures["duty"] == pytest.approx([0.6, 0.6])
    assert figures["phase"] == pytest.approx([0.0, 0.5])
    assert figures["flight"] == 0.0
    assert figures["alternation"] == 1.0
    assert figures["slip"] == figures["drift"] == figures["heading_drift"] == 0.0
    # 50 W against 100 N * 1 m/s
    assert figures["cost_of_transport"] == pytest.approx(0.5)


def test_slip_counts_feet_by_what_they_carry(walk: Any, make_trace: Any) -> None:
    """The left foot slides under a tenth of the load of the right one, which stands."""
    trace = make_trace(walk(slip=0.6), contact=np.ones((500, 2), bool))
    load, feet = trace.foot_load.copy(), trace.foot_pos.copy()
    load[:, :, 0] = 0.05
    feet[:, :, 1] = feet[:1, :, 1]
    slip = measure_gait(dataclasses.replace(trace, foot_load=load, foot_pos=feet)).slip
    assert slip == pytest.approx([0.3 * 0.05 / 0.55], rel=1e-3)


def test_a_run_flies_for_what_the_duty_factors_leave(measure: Any) -> None:
    figures = measure(duty=0.36, speed=4.0)
    assert figures["flight"] == pytest.approx(1.0 - 2 * 0.36)
    assert figures["froude"] == pytest.approx(4.0)
    assert figures["stride_length"] == pytest.approx(4.0)
    assert figures["alternation"] == 1.0


def test_a_hop_with_both_feet_does_not_alternate(measure: Any) -> None:
    figures = measure(duty=0.4, lags=(0.0, 0.0))
    assert figures["flight"] == pytest.approx(0.6)
    assert figures["alternation"] == 0.0
    assert figures["phase"] == pytest.approx([0.0, 0.0])
    assert figures["stride_frequency"] == pytest.approx(1.0)


def test_a_statue_has_no_gait(measure: Any) -> None:
    figures = measure(contact=np.ones((500, 2), bool), speed=0.0)
    assert figures["speed"] == figures["froude"] == figures["flight"] == figures["alternation"] == 0.0
    assert figures["stride_frequency"] == 0.0
    assert figures["duty"].tolist() == [1.0, 1.0]
    assert np.isnan([*figures["phase"], figures["stride_length"]]).all()
    assert figures["drift"] == figures["cost_of_transport"] == math.inf


@pytest.mark.parametrize(("lag", "alternation"), [(0.2, 0.0), (0.3, 1.0), (0.7, 1.0), (0.8, 0.0)])
def test_a_limp_alternates_only_about_half_a_stride_apart(measure: Any, lag: float, alternation: float) -> None:
    figures = measure(lags=(0.0, lag))
    assert figures["alternation"] == alternation
    assert figures["phase"][1] == pytest.approx(lag)


def test_a_skip_lands_twice_with_each_foot(measure: Any, walk: Any) -> None:
    # Left, left, right, right: each foot hops once before the other takes over.
    twice = walk(duty=0.2, lags=(0.0, 0.5)).contact() | walk(duty=0.2, lags=(0.25, 0.75)).contact()
    figures = measure(contact=twice)
    assert figures["alternation"] < 0.55
    assert figures["flight"] == pytest.approx(0.2)


def test_a_hop_on_one_leg_does_not_alternate(measure: Any, walk: Any) -> None:
    one = walk().contact() & np.array([True, False])
    for contact in (one, one | np.array([False, True])):  # the other leg held up, or standing all the time
        assert measure(contact=contact)["alternation"] == 0.0
    assert measure(contact=one)["flight"] == pytest.approx(0.4)


def test_a_dragged_pair_of_feet_is_not_made_up_for_by_the_other_pair(measure: Any, walk: Any) -> None:
    walks = walk(lags=LATERAL).contact()
    for dragged in ([True, True, False, False], [False, False, True, True]):
        assert measure(contact=walks | np.array(dragged), lags=LATERAL)["alternation"] == 0.0
    assert measure(lags=LATERAL)["alternation"] == 1.0


def test_two_strides_are_no_gait(measure: Any) -> None:
    # From step 100 on, the right foot lands at 125, 175 and 225, the left one at 150 and 200.
    assert measure(steps=225)["alternation"] == 0.0
    assert measure(steps=226)["alternation"] == 1.0


def test_bounces_of_one_step_make_no_strides(measure: Any, walk: Any) -> None:
    contact = walk().contact()
    clean = measure(contact=contact)
    bounced = contact.copy()
    bounced[110::50, 0] = False  # the foot leaves the floor within its stance
    bounced[140::50, 0] = True  # and taps it in its swing
    assert (bounced != contact).sum() > 10
    figures = measure(contact=bounced)
    for name in ("stride_frequency", "stride_length", "alternation", "phase"):
        assert figures[name] == pytest.approx(clean[name])


def test_footfalls_of_one_foot() -> None:
    def falls(text: str) -> str:
        load = np.array([0.031 if sign == "#" else 0.029 for sign in text], np.float32)
        return "".join("#" if down else "." for down in footfalls(load))

    assert falls("..##.##..") == "..#####.."
    assert falls("...#...##") == ".......##"
    assert falls(".#.#.#...") == ".#####..."
    assert falls("#...#...#") == "#.......#"
    assert touchdowns(np.array([True, False, True, True, False, True])).tolist() == [2, 5]
    assert len(touchdowns(np.ones(5, bool))) == 0


def test_drift_slip_and_heading(measure: Any) -> None:
    for bearing in (0.0, 2.5, -1.0):
        figures = measure(speed=2.0, aside=-0.5, slip=0.3, turn=math.radians(5.0), yaw=3.0, bearing=bearing)
        assert figures["drift"] == pytest.approx(0.25, rel=1e-4)
        assert figures["speed"] == pytest.approx(1.0, rel=1e-4)
        assert figures["slip"] == pytest.approx(0.3 / 2.0, rel=1e-3)
        # 5 degrees a second from step 100 to step 499
        assert figures["heading_drift"] == pytest.approx(5.0 * 399 * 0.02, rel=1e-4)


def test_walking_away_is_no_progress(measure: Any) -> None:
    figures = measure(speed=-1.0)
    assert figures["speed"] == pytest.approx(-0.5)
    assert figures["froude"] == 0.0
    assert figures["drift"] == figures["cost_of_transport"] == math.inf


def test_the_start_is_left_out(measure: Any, walk: Any, make_trace: Any) -> None:
    trace = make_trace(walk())
    assert settle_steps(trace) == 100
    trace.foot_load[:100], trace.power[:100], trace.torso_pos[:100] = 0.0, 1e6, 50.0
    gait, clean = measure_gait(trace), measure()
    for name, value in clean.items():
        assert getattr(gait, name)[0] == pytest.approx(value)


def test_an_episode_that_falls_before_it_settled(walk: Any, make_trace: Any) -> None:
    gait = measure_gait(make_trace(walk(), walk(steps=60), walk(steps=101)))
    for i in (1, 2):
        assert gait.speed[i] == gait.alternation[i] == gait.stride_frequency[i] == 0.0
        assert np.isnan(gait.flight[i])
        assert gait.drift[i] == gait.cost_of_transport[i] == math.inf
        assert np.isnan(gait.duty[i]).all()
    assert gait.speed[0] == pytest.approx(0.5)
    means = gait.means(("left", "right"))
    assert means["flight"] == 0.0
    assert means["duty/left"] == pytest.approx(0.6)
    assert means["cost_of_transport"] == pytest.approx(0.5)


def test_physics_that_breaks_down_spoils_no_figure(measure: Any, walk: Any, make_trace: Any) -> None:
    trace = make_trace(walk(steps=401))
    trace.power[400], trace.torso_pos[400] = math.inf, math.nan
    gait, clean = measure_gait(trace), measure(steps=400)
    for name, value in clean.items():
        assert getattr(gait, name)[0] == pytest.approx(value)


@given(period=st.floats(20.0, 80.0), duty=st.floats(0.2, 0.8), lag=st.floats(0.0, 1.0, exclude_max=True))
def test_duty_frequency_and_phase_are_recovered(measure: Any, period: float, duty: float, lag: float) -> None:
    figures = measure(period=period, duty=duty, lags=(0.0, lag))
    step = 1.0 / period
    # 400 steps may hold a part of a stride more of stance than of swing.
    assert figures["duty"] == pytest.approx([duty, duty], abs=step + duty * (1.0 - duty) * period / 400)
    assert figures["stride_frequency"] == pytest.approx(1.0 / (period * 0.02), rel=0.01)
    assert abs((figures["phase"][1] - lag + 0.5) % 1.0 - 0.5) <= step
    if abs(lag - 0.5) < 0.25 - 2 * step:
        assert figures["alternation"] == 1.0
    if abs(lag - 0.5) > 0.25 + 2 * step:
        assert figures["alternation"] == 0.0
    together = max(0.0, duty - lag) + max(0.0, duty - (1.0 - lag))
    flight = max(0.0, 1.0 - 2.0 * duty + min(together, duty))
    assert figures["flight"] == pytest.approx(flight, abs=2 * step + period / 400)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5), st.floats(0.0, 1.0))
def test_means_on_the_circle_turn_with_it(phases: list[float], turn: float) -> None:
    first = circular_mean(np.array(phases))
    assert 0.0 <= first < 1.0
    if abs(np.exp(2j * np.pi * np.array(phases)).mean()) > 0.01:  # else there is no mean
        second = circular_mean((np.array(phases) + turn) % 1.0)
        assert abs((second - first - turn + 0.5) % 1.0 - 0.5) < 1e-9


class TestReport:
    def test_table_agrees_with_the_figures_and_gives_their_spread(self, walk: Any, make_trace: Any) -> None:
        # Speeds 0.5, 0.55, ... 1.5 m/s, and 0 of the one that falls at once: percentile p lies at 21 p of 22 values.
        walks = [walk(speed=speed) for speed in np.linspace(0.5, 1.5, 21)]
        trace = make_trace(*walks, walk(steps=50))
        gait = measure_gait(trace)
        table = {row.name: row for row in gait_table(trace, gait)}
        assert table["speed"][1:5] == pytest.approx((21 / 22, 0.5025, 1.4475, 22))
        assert table["relative stride length"][1:5] == pytest.approx((1.0, 0.55, 1.45, 21))
        assert table["stride length"].mean == pytest.approx(1.0)
        assert table["duty factor left"][1:5] == pytest.approx((0.6, 0.6, 0.6, 21))
        assert table["phase right"].mean == pytest.approx(0.5)
        assert table["cost of transport"].episodes == 21
        assert table["cost of transport"].mean == pytest.approx(gait.means(trace.foot_names)["cost_of_transport"])
        assert all(row.meaning for row in table.values())

    def test_phases_around_zero_have_a_small_spread(self, walk: Any, make_trace: Any) -> None:
        trace = make_trace(walk(lags=(0.0, 0.02)), walk(lags=(0.0, 0.98)))
        row = next(row for row in gait_table(trace, measure_gait(trace)) if row.name == "phase right")
        assert row.mean == pytest.approx(0.0, abs=1e-9) or row.mean == pytest.approx(1.0)
        assert row.high - row.low == pytest.approx(0.04 * 0.9)

    def test_a_statue_has_figures_that_do_not_exist(self, walk: Any, make_trace: Any) -> None:
        trace = make_trace(walk(speed=0.0), contact=np.ones((500, 2), bool))
        table = {row.name: row for row in gait_table(trace, measure_gait(trace))}
        assert math.isnan(table["stride length"].mean)
        assert table["stride length"].episodes == table["cost of transport"].episodes == 0

    @pytest.mark.parametrize(
        ("lags", "order", "name"),
        [
            (LATERAL, "left hind, left front, right hind, right front", "lateral sequence"),
            ((0.0, 0.5, 0.75, 0.25), "left hind, right front, right hind, left front", "diagonal sequence"),
            ((0.0, 0.5, 0.48, 0.98), "left hind, left front, right hind, right front", "trot"),
            ((0.0, 0.5, 0.04, 0.54), "left hind, left front, right hind, right front", "pace"),
            ((0.0, 0.1, 0.5, 0.6), "left hind, right hind, left front, right front", "asymmetrical"),
        ],
    )
    def test_footfall_sequences(
        self, walk: Any, make_trace: Any, lags: tuple[float, ...], order: str, name: str
    ) -> None:
        trace = make_trace(*[walk(lags=tuple((lag + shift) % 1.0 for lag in lags)) for shift in (0.0, 0.3)])
        text = footfall_sequence(trace, measure_gait(trace))
        assert text is not None
        assert text.startswith(f"{order}: {name}")

    def test_two_feet_and_statues_have_no_sequence(self, walk: Any, make_trace: Any) -> None:
        biped, statue = make_trace(walk()), make_trace(walk(lags=LATERAL), contact=np.ones((500, 4), bool))
        assert footfall_sequence(biped, measure_gait(biped)) is None
        assert footfall_sequence(statue, measure_gait(statue)) is None

    @pytest.mark.parametrize(
        ("lag", "name"),
        [
            # Hildebrand 1965, figure 2: percent of the stride by which the fore footfall follows the hind
            (0.0, "pace"),
            (0.96, "pace"),
            (0.12, "lateral sequence"),
            (0.25, "lateral sequence"),
            (0.38, "lateral sequence"),
            (0.5, "trot"),
            (0.62, "diagonal sequence"),
            (0.75, "diagonal sequence"),
        ],
    )
    def test_names(self, lag: float, name: str) -> None:
        assert sequence_name(lag) == name
