"""Signals ask a run to stop; they neither kill it nor stay caught afterwards."""

from __future__ import annotations

import os
import signal

import pytest

from mesozoic.errors import Interrupted
from mesozoic.run.interrupt import SIGNALS, Interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_and_kills_nothing(number: int) -> None:
    with Interrupts() as interrupts:
        assert interrupts.received is None
        os.kill(os.getpid(), number)
        assert interrupts.received == number


def test_a_second_ctrl_c_stops_at_once_but_a_second_sigterm_does_not() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_previous_handlers_come_back() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with Interrupts():
        assert all(signal.getsignal(number) != before[number] for number in SIGNALS)
    assert {number: signal.getsignal(number) for number in SIGNALS} == before

    def fails() -> None:
        with Interrupts():
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_exit_code_is_the_usual_one(number: int, code: int) -> None:
    error = Interrupted(number)
    assert error.exit_code == code
    assert signal.Signals(number).name in str(error)
