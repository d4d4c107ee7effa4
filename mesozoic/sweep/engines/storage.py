"""Where a local sweep is kept: a journal file, or a database that many machines share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesozoic.errors import UserError, plain
from mesozoic.files import cause
from mesozoic.redact import redact, without_password
from mesozoic.sweep.engines.database import open_database, watched

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "journal.log"
NEEDS_OPTUNA = "a local sweep needs Optuna; run: pip install 'mesozoic[sweep]'"
LOCK_SECONDS = 60.0
"""For which a launcher waits for its turn to write a few lines into the journal."""


class _FileLock:
    """A lock that goes with the process: what `kill -9` leaves behind holds nobody up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        import fcntl

        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < end:
                    time.sleep(0.01)
                    continue
                os.close(handle)
                raise UserError(
                    f"another process has held {self._path} for {LOCK_SECONDS:g} seconds, which takes no second when"
                    " all is well; end the launcher that hangs, then run again"
                ) from None
            except OSError:
                os.close(handle)
                raise
            self._handle = handle
            return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None


def storage_problem() -> str:
    """Why no local sweep can run here, whatever its storage; empty if one can."""
    return NEEDS_OPTUNA if find_spec("optuna") is None else ""


def open_storage(place: str | None, folder: Path) -> BaseStorage:
    """The storage of a sweep.

    Args:
        place: URL of a database, or a journal file; None: `journal.log` in `folder`.

    Raises:
        UserError: Optuna or the database's driver is missing, or it cannot be reached.
    """
    with storage_errors(place):
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if place is not None and "://" in place:
            return open_database(place)
        file = folder / JOURNAL if place is None else Path(place).expanduser()
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = _FileLock(file.with_name(f".{file.name}.lock"))
        lock.acquire()
        try:
            _drop_torn_line(file)
        finally:
            lock.release()
        return JournalStorage(JournalFileBackend(str(file), lock_obj=lock))


def _drop_torn_line(file: Path) -> None:
    """Take away what a killed process left half written at the end; what comes after it could not be read."""
    if not file.exists():
        return
    with file.open("rb+") as journal:
        data = journal.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            journal.truncate(whole)


@contextmanager
def storage_errors(place: str | None) -> Iterator[None]:
    """Turn whatever a storage raises into one sentence without a password."""
    try:
        with watched() if place is not None and "://" in place else nullcontext():
            yield
    except ImportError as error:
        if error.name == "optuna":
            raise UserError(NEEDS_OPTUNA) from None
        where = "the storage" if place is None else without_password(place)
        raise UserError(f"{where} needs a driver that is not installed; run: pip install psycopg2-binary") from None
    except OSError as error:
        what = error.filename or ("the journal" if place is None else without_password(place))
        raise UserError(
            f"cannot use {what} ({cause(error)}); check --storage and --output-dir, then run again"
        ) from None
    except Exception as error:
        if not type(error).__module__.startswith(("sqlalchemy", "optuna.exceptions", "psycopg")):
            raise
        where = "the journal" if place is None else without_password(place)
        said: Any = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot use {where}: {plain(redact(said))[:200]}; check --storage, then run again") from None
