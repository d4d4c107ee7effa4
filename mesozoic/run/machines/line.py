"""A line between two machines of a training: orders as JSON with bytes behind them, and signs of life both ways.

The other end is gone if the connection breaks, or if nothing is heard for `Patience.silence`. That is noticed in a
thread of its own, as the main thread may be in a computation that waits for the other end for ever: a process that has
not ended by itself after `Patience.grace` is ended.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from mesozoic.errors import Stopped

LOST = 69
"""Exit code (`EX_UNAVAILABLE`) of a training whose other machine is gone."""
HEAD = struct.Struct("<IQ")
LONGEST_HEADER, LONGEST_PAYLOAD = 1 << 22, 1 << 36


@dataclass(frozen=True)
class Patience:
    """Seconds.

    Attributes:
        meeting: until all machines have found each other; they may be set up at different speeds.
        alive: between two signs of life; silence: without any, until the other end is gone.
        grace: from then to the end of the process, if its main thread does not end it.
    """

    meeting: float = 900.0
    alive: float = 5.0
    silence: float = 60.0
    grace: float = 20.0


class MachineLost(Stopped):
    """Another machine of this training is gone; the last checkpoint is what is left. Exit with `LOST`."""

    exit_code = LOST


Order = tuple[dict[str, Any], bytes]


class Line:
    """One end of a connection.

    Args:
        name: of the other end, for people.
        on_lost: called in a thread when the other end of a line that is watched is gone, with a sentence.
    """

    def __init__(
        self, connection: socket.socket, name: str, patience: Patience, on_lost: Callable[[str], None]
    ) -> None:
        self.name, self._socket, self._patience, self._on_lost = name, connection, patience, on_lost
        self._sending = threading.Lock()
        self._orders: queue.Queue[Order] = queue.Queue()
        self._closed = threading.Event()
        self._watched = False
        self.lost = ""
        self.signal: int | None = None
        """That the other end was asked to stop by."""
        connection.settimeout(patience.silence)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def watch(self) -> None:
        """Begin to listen and to give signs of life."""
        self._watched = True
        for loop in (self._listen, self._live):
            threading.Thread(target=loop, name=f"line to {self.name}", daemon=True).start()

    def send(self, order: dict[str, Any], payload: bytes = b"") -> None:
        """Send an order.

        Raises:
            MachineLost: the other end is gone.
        """
        head = json.dumps(order).encode()
        try:
            with self._sending:
                self._socket.sendall(HEAD.pack(len(head), len(payload)) + head + payload)
        except OSError as error:
            self._gone(f"{error.strerror or error}")
            raise MachineLost(self.lost) from None

    def receive(self) -> Order:
        """The next order, without `watch`.

        Raises:
            OSError, ValueError: none came in time, or what came is none.
        """
        lengths = HEAD.unpack(self._exactly(HEAD.size))
        if lengths[0] > LONGEST_HEADER or lengths[1] > LONGEST_PAYLOAD:
            raise ValueError("no order of this program")
        order = json.loads(self._exactly(lengths[0]))
        if not isinstance(order, dict):
            raise ValueError("no order of this program")
        return order, self._exactly(lengths[1])

    def next(self, seconds: float) -> Order | None:
        """The next order; None if none came in so many seconds.

        Raises:
            MachineLost: the other end is gone.
        """
        try:
            return self._orders.get(timeout=seconds)
        except queue.Empty:
            if self.lost:
                raise MachineLost(self.lost) from None
            return None

    def close(self) -> None:
        """From now on the other end may go."""
        self._closed.set()

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the other end has closed the connection too, or is lost."""
        end = time.monotonic() + seconds
        while not self.lost and time.monotonic() < end:
            time.sleep(0.02)

    def _listen(self) -> None:
        try:
            while True:
                order, payload = self.receive()
                if order.get("do") == "signal":
                    self.signal = int(order["number"])
                elif order.get("do") != "alive":
                    self._orders.put((order, payload))
        except TimeoutError:
            self._gone(f"nothing was heard of it for {self._patience.silence:g} s")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._gone(str(error) or "it closed the connection")

    def _live(self) -> None:
        while not self.lost:
            try:
                self.send({"do": "alive"})
            except MachineLost:
                return
            time.sleep(self._patience.alive)

    def _gone(self, why: str) -> None:
        first, self.lost = not self.lost, self.lost or f"{self.name} of this training is gone ({why})"
        if first and self._watched and not self._closed.is_set():
            threading.Thread(target=self._on_lost, args=(self.lost,), name="lost", daemon=True).start()

    def _exactly(self, size: int) -> bytes:
        parts, left = [], size
        while left:
            part = self._socket.recv(min(left, 1 << 20))
            if not part:
                raise ConnectionError("it closed the connection")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def leave(code: int) -> NoReturn:
    """End this process now: JAX would wait for the other machines, or fail because they have left already."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)


def leave_soon(patience: Patience) -> Callable[[str], None]:
    """For `Line`: end the process after the grace, whatever its main thread waits for."""

    def lost(sentence: str) -> None:
        time.sleep(patience.grace)
        print(f"{sentence}; ending", file=sys.stderr)
        leave(LOST)

    return lost
