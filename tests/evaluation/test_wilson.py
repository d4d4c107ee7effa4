"""Wilson bounds against published figures and the properties every interval must have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.evaluation.wilson import wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # n / (n + z^2) by hand
        (10, 10, 0.7225, 1.0),
        (64, 64, 0.9434, 1.0),
    ],
)
def test_known_intervals(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=6e-5)


@st.composite
def shares(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(1, 5000))
    return draw(st.integers(0, trials)), trials


@given(shares())
def test_bounds_are_a_range_of_shares_around_the_share(share: tuple[int, int]) -> None:
    low, high = wilson(*share)
    assert 0.0 <= low <= share[0] / share[1] + 1e-12
    assert share[0] / share[1] - 1e-12 <= high <= 1.0
    assert high - low > 0.0


@given(shares())
def test_failures_mirror_successes(share: tuple[int, int]) -> None:
    successes, trials = share
    low, high = wilson(successes, trials)
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(shares(), st.integers(2, 5))
def test_more_trials_narrow_it(share: tuple[int, int], times: int) -> None:
    low, high = wilson(*share)
    closer, nearer = wilson(share[0] * times, share[1] * times)
    assert nearer - closer < high - low


@given(shares())
def test_one_more_success_raises_both_bounds(share: tuple[int, int]) -> None:
    successes, trials = share
    before, after = wilson(successes, trials + 1), wilson(successes + 1, trials + 1)
    assert before[0] < after[0]
    assert before[1] < after[1] or after[1] == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (2, 1), (-1, 3), (0, -1)])
def test_shares_of_nothing_are_an_error(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="have no share"):
        wilson(successes, trials)
