"""How the machines of a training find each other, talk, and notice that one is gone; here threads of one process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mesozoic.errors import UserError
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.machines import hosts as meeting
from mesozoic.run.machines.hosts import PORTS, Hosts, meet_followers, meet_leader
from mesozoic.run.machines.leader import Leader
from mesozoic.run.machines.line import HEAD, LOST, Line, MachineLost, Patience
from mesozoic.run.machines.states import packed, unpacked
from mesozoic.run.stop import Stops, error_of

QUICK = Patience(meeting=3.0, alive=0.1, silence=1.0, grace=1e6)
"""The grace is endless, as what comes after it is the end of the process."""
SLOW = replace(QUICK, meeting=60.0, silence=30.0)
"""For machines that do meet, however slow this one is."""


class Ends:
    """Both ends of a line, and what each said when the other was gone."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        sockets = _pair()
        self.first, self.second = (
            Line(one, name, QUICK, self.gone.append)
            for one, name in zip(sockets, ("machine 1", "the first machine"), strict=True)
        )
        self.sockets = sockets


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        return one, server.accept()[0]


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for line in (made.first, made.second):
        line.close()
    for one in made.sockets:
        one.close()


def until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_orders_arrive_in_turn_and_whole(ends: Ends) -> None:
    ends.second.watch()
    payload = np.arange(2_000_000, dtype=np.int64).tobytes()
    threading.Thread(target=ends.first.send, args=({"do": "a", "n": 1}, payload)).start()
    assert ends.second.next(10.0) == ({"do": "a", "n": 1}, payload)
    ends.first.send({"do": "b"})
    assert ends.second.next(10.0) == ({"do": "b"}, b"")
    assert ends.second.next(0.05) is None


def test_a_quiet_line_stays_while_there_are_signs_of_life(ends: Ends) -> None:
    ends.first.watch()
    ends.second.watch()
    time.sleep(2.5 * QUICK.silence)
    assert ends.gone == [] and ends.first.next(0.01) is None


def test_silence_is_the_loss_of_the_other_end(ends: Ends) -> None:
    """A machine without power closes no connection."""
    ends.first.watch()  # the second gives no sign of life
    until(lambda: ends.gone)
    assert ends.gone == ["machine 1 of this training is gone (nothing was heard of it for 1 s)"]
    with pytest.raises(MachineLost, match="nothing was heard of it"):
        ends.first.next(0.01)
    assert MachineLost("x").exit_code == LOST


def test_a_closed_connection_is_noticed_at_once(ends: Ends) -> None:
    ends.first.watch()
    began = time.monotonic()
    ends.sockets[1].close()
    until(lambda: ends.gone)
    assert time.monotonic() - began < QUICK.silence / 2
    with pytest.raises(MachineLost):
        Leader([ends.first]).order("learn")


def test_who_said_that_it_ends_is_not_missed(ends: Ends) -> None:
    ends.first.watch()
    ends.first.close()
    ends.sockets[1].close()
    until(lambda: ends.first.lost)
    assert ends.gone == []


def test_a_caller_that_nobody_watches_yet_ends_no_process(ends: Ends) -> None:
    """Machines that look for each other call again."""
    ends.sockets[1].close()
    with pytest.raises(MachineLost):
        ends.first.send({"do": "a"}, bytes(1 << 25))
    time.sleep(0.1)
    assert ends.first.lost and ends.gone == []


def test_bytes_that_are_no_order_are_the_loss_of_the_other_end(ends: Ends) -> None:
    ends.first.watch()
    ends.sockets[1].sendall(HEAD.pack(1 << 31, 1 << 60))
    until(lambda: ends.gone)
    assert "no order of this program" in ends.gone[0]


def test_a_failure_is_blamed_on_a_machine_that_is_gone_and_on_no_other(ends: Ends) -> None:
    def fail() -> None:
        raise ValueError("a collective operation failed")

    ends.first.watch()
    ends.second.watch()
    with pytest.raises(ValueError, match="a collective operation failed"):
        Leader([ends.first]).together(fail)
    ends.sockets[1].shutdown(socket.SHUT_RDWR)
    with pytest.raises(MachineLost, match="machine 1 of this training is gone"):
        Leader([ends.first]).together(fail)


def test_a_signal_elsewhere_stops_the_run_without_being_its_own(ends: Ends) -> None:
    ends.first.watch()
    stops = Stops(Interrupts(), others=Leader([ends.first]).signalled)
    assert stops.now() is None
    ends.second.send({"do": "signal", "number": 15})
    until(stops.now)
    stop = stops.now()
    assert stop is not None
    assert str(error_of(stop)) == "stopped: machine 1 of this training was told to by SIGTERM"
    assert error_of(stop).exit_code == 75


def test_a_state_arrives_as_it_was() -> None:
    state = {"step": 2**40, "train": {"a": np.arange(3, dtype=np.float32), "b": np.array([True])}, "best": b"x"}
    found = unpacked(packed(state))
    assert found["step"] == 2**40 and found["best"] == b"x"
    for name, array in state["train"].items():  # type: ignore[attr-defined]
        np.testing.assert_array_equal(found["train"][name], array)
        assert found["train"][name].dtype == array.dtype
    with pytest.raises(UserError, match="damaged"):
        unpacked(packed(state)[:-1])


def host(rank: int, job: str, count: int = 2) -> Hosts:
    return Hosts(rank, count, "127.0.0.1", job)


def test_jobs_that_share_machines_have_ports_of_their_own() -> None:
    ports = {host(0, f"sky-2026-11-27-{number}").port for number in range(50)}
    assert len(ports) > 45 and ports <= set(PORTS)


def test_machines_meet_whoever_comes_first_and_strangers_are_turned_away(tmp_path: Any) -> None:
    job = str(tmp_path)
    said: list[str] = []
    found: dict[str, Any] = {}
    follower = threading.Thread(target=lambda: found.update(line=meet_leader(host(1, job), SLOW)))
    follower.start()
    time.sleep(0.2)
    leader = threading.Thread(target=lambda: found.update(lines=meet_followers(host(0, job, 3), SLOW, said.append)))
    leader.start()
    until(lambda: "line" in found, 60.0)
    stranger = socket.create_connection(("127.0.0.1", host(0, job).port))
    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + b" " * 5000)
    other = Line(socket.create_connection(("127.0.0.1", host(0, job).port)), "x", QUICK, said.append)
    other.send({"job": "another", "rank": 2, "versions": {}})
    until(lambda: len([line for line in said if "turned away" in line]) == 2)
    second = meet_leader(host(2, job, 3), SLOW)
    leader.join(10)
    assert [line.name for line in found["lines"]] == ["machine 1", "machine 2"]
    found["lines"][0].send({"do": "learn"})
    assert found["line"].next(10.0) == ({"do": "learn"}, b"")
    for line in (*found["lines"], found["line"], second):
        line.close()


def test_a_machine_that_breaks_off_while_it_is_greeted_may_call_again(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, send, refused = str(tmp_path), Line.send, []

    def send_once_refused(line: Line, order: dict[str, Any], payload: bytes = b"") -> None:
        if order.get("do") == "welcome" and not refused:
            refused.append(order)
            line._socket.close()
        send(line, order, payload)

    monkeypatch.setattr(Line, "send", send_once_refused)
    found: dict[str, Any] = {}
    leader = threading.Thread(target=lambda: found.update(lines=meet_followers(host(0, job), SLOW, lambda _: None)))
    leader.start()
    line = meet_leader(host(1, job), SLOW)
    leader.join(10)
    assert refused and [one.name for one in found["lines"]] == ["machine 1"]
    for one in (line, *found["lines"]):
        one.close()


def test_a_machine_with_other_versions_is_told_so(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, calls = str(tmp_path), iter([{"jax": "1"}, {"jax": "2"}])
    monkeypatch.setattr(meeting, "versions", lambda: next(calls))
    failed: list[BaseException] = []

    def lead() -> None:
        try:
            meet_followers(host(0, job), QUICK, lambda _: None)
        except MachineLost as error:
            failed.append(error)

    leader = threading.Thread(target=lead)
    leader.start()
    with pytest.raises(MachineLost, match=r"turned this one away: it has \{'jax': '1'\}, the first machine has"):
        meet_leader(host(1, job), QUICK)
    leader.join(10)
    assert "machine 1 did not come in 3 s" in str(failed[0])


def test_a_machine_that_never_comes_is_not_waited_for_for_ever(tmp_path: Any) -> None:
    quick = Patience(meeting=0.5)
    with pytest.raises(MachineLost, match=r"machine 1, 2 did not come in 0\.5 s; see its log"):
        meet_followers(host(0, str(tmp_path), 3), quick, lambda _: None)
    with pytest.raises(MachineLost, match=r"the first machine cannot be reached at 127\.0\.0\.1:"):
        meet_leader(host(1, str(tmp_path)), quick)


def test_a_process_that_waits_for_ever_is_ended_after_the_grace() -> None:
    """As its main thread may be in a computation that the other machine never joins."""
    program = (
        "import time; from mesozoic.run.machines.line import *;"
        "import threading; threading.Thread(target=leave_soon(Patience(grace=0.2)), args=('it is gone',)).start();"
        "time.sleep(100)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (LOST, "it is gone; ending\n")
