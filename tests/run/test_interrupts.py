"""Signals ask a run to stop; a second one ends it; they stay neither caught nor un-ignored afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mesozoic.errors import Interrupted
from mesozoic.run.interrupt import SIGNALS, Interrupts

PROGRAM = """
import ctypes, signal, sys, time
from mesozoic.run.interrupt import Interrupts
with Interrupts() as interrupts:
    print("ready", flush=True)
    deadline = time.monotonic() + 60
    if "deaf" in sys.argv:
        ctypes.CDLL(None).sleep(60)  # somebody else's code; a signal cuts it short, so again
        while time.monotonic() < deadline:
            ctypes.CDLL(None).sleep(60)
    while time.monotonic() < deadline and not ("polite" in sys.argv and interrupts.received):
        time.sleep(0.01)
sys.exit(7)
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_and_kills_nothing(number: int) -> None:
    with Interrupts() as interrupts:
        assert interrupts.received is None
        os.kill(os.getpid(), number)
        assert interrupts.received == number


def test_a_closed_terminal_is_such_a_signal() -> None:
    assert signal.SIGHUP in SIGNALS


@pytest.mark.parametrize("program", ["", "deaf"])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_ends_the_process_whatever_it_is_doing(program: str, second: int) -> None:
    process = start(program)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.7)
    assert process.poll() is None
    process.send_signal(second)
    assert process.wait(timeout=10) == 128 + second
    assert f"second {signal.Signals(second).name}" in process.communicate()[1]


def test_a_copy_of_the_first_signal_is_no_second_one() -> None:
    process = start("polite")
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 7
    process.communicate()


def test_what_was_ignored_stays_ignored() -> None:
    """As under `nohup`: the run goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
            assert interrupts.received is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_entered_inside_of_itself_it_is_the_outer_one() -> None:
    """A signal at the very end of one stage stops the next."""
    with Interrupts() as outer:
        with Interrupts() as inner:
            os.kill(os.getpid(), signal.SIGTERM)
        assert inner is outer
        with Interrupts() as another:
            assert another.received == signal.SIGTERM
    with Interrupts() as fresh:
        assert fresh.received is None


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


def test_outside_of_the_main_thread_nothing_is_caught_and_nothing_breaks() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    seen: list[object] = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append(interrupts.received)
            seen.append({number: signal.getsignal(number) for number in SIGNALS} == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None, True]


def test_nothing_is_left_open() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    before = descriptors()
    for _ in range(5):
        with Interrupts():
            pass
    time.sleep(0.2)
    assert descriptors() <= before + 1
    assert not [thread for thread in threading.enumerate() if thread.name == "signals"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_the_exit_code_is_the_usual_one(number: int, code: int) -> None:
    error = Interrupted(number)
    assert error.exit_code == code
    assert signal.Signals(number).name in str(error)
