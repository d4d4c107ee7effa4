"""A database that many machines share a sweep through: opened with the driver that is here, asked with a deadline.

Drivers wait for an answer for ever. So somebody watches, and cuts the connections of one that has frozen; what waited
gets an error then.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

ATTEMPTS = 5
"""To find the tables of a database that another launcher is making just now."""
CONNECT_SECONDS = 15
"""Given to a database for its first answer."""
ANSWER_SECONDS = 60.0
"""Given to a database for each later one."""
_connections: WeakSet[Any] = WeakSet()


def open_database(place: str) -> BaseStorage:
    """The tables of Optuna in a database; made, if they are missing, by one of those that come at the same time.

    Args:
        place: its URL.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    waits = {"connect_timeout": CONNECT_SECONDS} if place.startswith("postgres") else {}
    options = {"pool_pre_ping": True, "connect_args": waits, "pool_events": [(_remember, "connect")]}
    for left in reversed(range(ATTEMPTS)):
        try:
            return RDBStorage(with_driver(place), engine_kwargs=options)
        except (IntegrityError, ProgrammingError):
            if not left:
                raise
            time.sleep(1.0)
    raise AssertionError


def with_driver(url: str) -> str:
    """The URL of a database with the driver of PostgreSQL that is here, where it names none."""
    scheme, _, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        driver = "psycopg2" if find_spec("psycopg") is None and find_spec("psycopg2") is not None else "psycopg"
        return f"postgresql+{driver}://{rest}"
    return url


def _remember(connection: Any, _: Any) -> None:
    with suppress(TypeError):  # one of SQLite cannot be referred to, and waits for nobody
        _connections.add(connection)


@contextmanager
def watched() -> Iterator[None]:
    """While entered, an answer that takes longer than `ANSWER_SECONDS` is an error of its connection."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(ANSWER_SECONDS):
            for one in list(_connections):
                with suppress(Exception):  # it is closed, or no socket
                    _cut(one.fileno())

    threading.Thread(target=watch, name="database", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _cut(handle: int) -> None:
    with socket.socket(fileno=os.dup(handle)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
