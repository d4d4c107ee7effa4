"""Each end of a training leads to the exit code by which a service knows whether to run the job again."""

from __future__ import annotations

import signal

import pytest

from mesozoic.job.exit_codes import exit_code


@pytest.mark.parametrize("moves", [None, 3])
@pytest.mark.parametrize("trained", [0, 2])
def test_done_and_bad_input_are_final_whatever_happened_meanwhile(trained: int, moves: int | None) -> None:
    for stopped_by in (None, signal.SIGTERM):
        for time_over in (False, True):
            assert exit_code(trained, stopped_by, time_over, moves, 1) == (trained, "")


@pytest.mark.parametrize(
    ("trained", "stopped_by", "time_over", "here", "moved"),
    [
        (75, None, True, 75, 143),  # nobody may rent another machine for a job whose time is over
        (137, None, True, 75, 143),  # it did not save in time and was killed
        (143, signal.SIGTERM, False, 143, 75),
        (130, signal.SIGINT, False, 130, 75),
        (137, signal.SIGTERM, False, 143, 75),
        (143, signal.SIGTERM, True, 75, 143),
        (137, None, False, 137, 137),  # out of memory
        (139, None, False, 139, 75),
        (1, None, False, 1, 75),
    ],
)
def test_ends(trained: int, stopped_by: int | None, time_over: bool, here: int, moved: int) -> None:
    code, why = exit_code(trained, stopped_by, time_over)
    assert (code, bool(why)) == (here, here in (75, 143, 130))
    assert exit_code(trained, stopped_by, time_over, 3, 1)[0] == moved


def test_a_stop_because_of_another_machine_is_no_crash() -> None:
    """Neither in words, nor if there were many crashes before."""
    assert exit_code(75, None, False) == (75, "")
    assert exit_code(75, None, False, 3, 9) == (75, "")


def test_a_job_that_crashes_again_and_again_is_given_up() -> None:
    assert [exit_code(139, None, False, 3, crashes)[0] for crashes in (1, 2, 3, 4)] == [75, 75, 75, 139]
    assert "giving up" in exit_code(139, None, False, 3, 4)[1]
