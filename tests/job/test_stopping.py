"""When a process that is to end is killed: the one rule for a job's training and a sweep's agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from mesozoic.job.stopping import Stopping

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


def deaf_child() -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"deaf\n"
    return child


def ended(child: subprocess.Popen[bytes], stopping: Stopping, said: list[str]) -> float:
    """Seconds until it has ended."""
    began = time.monotonic()
    while child.poll() is None:
        stopping.kill_if_due(child, said.append)
        assert time.monotonic() - began < 60
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("how", ["signal", "time"])
def test_what_does_not_end_by_itself_is_killed_after_the_grace(how: str) -> None:
    child, said = deaf_child(), list[str]()
    handed_on: list[int] = []
    with Stopping(lambda number: (handed_on.append(number), child.send_signal(number))[0], grace=0.5) as stopping:
        stopping.kill_if_due(child, said.append)
        assert child.poll() is None and not stopping.begun
        if how == "signal":
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)
        else:
            stopping.time_is_over()
        assert ended(child, stopping, said) > 0.4
    assert child.returncode == -signal.SIGKILL
    assert handed_on == ([signal.SIGTERM] if how == "signal" else [])
    assert stopping.signal == (signal.SIGTERM if how == "signal" else None)
    assert said == ["it did not end within 0 s; killing it"]


def test_a_signal_that_was_ignored_stays_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    term = signal.getsignal(signal.SIGTERM)
    try:
        with Stopping() as stopping:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stopping.begun
            assert signal.getsignal(signal.SIGTERM) != term
        assert signal.getsignal(signal.SIGTERM) == term
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
