"""One process at a time works in the folder of a trial.

A launcher that is killed leaves trials that still write their checkpoints while the next one has the same trials run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mesozoic.errors import UserError
from mesozoic.job.stopping import GRACE
from mesozoic.run.lock import Held, file_lock

FILE = ".trial.lock"
LOOK_SECONDS = 0.2


@contextmanager
def alone_in(folder: Path, of_engine: bool) -> Iterator[None]:
    """Hold the folder of a trial, which is made if it is missing.

    Args:
        of_engine: an engine started this trial, and takes no other process for a mistake: wait until that one, which
            was asked to end, has done so.

    Raises:
        UserError: another process works there, and still does after all the time that it has to end; or the folder
            cannot be made.
    """
    end = time.monotonic() + (GRACE if of_engine else 0.0)
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    held.enter_context(file_lock(folder / FILE))
                    break
                except Held:
                    if time.monotonic() >= end:
                        raise UserError(
                            f"another process runs the trial in {folder}; wait for it, or give another --output-dir"
                        ) from None
                    time.sleep(LOOK_SECONDS)
        except OSError as error:
            raise UserError(f"cannot write to {folder} ({error.strerror}); give another --output-dir") from None
        yield
