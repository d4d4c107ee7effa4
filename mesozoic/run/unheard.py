"""Saying something to somebody who may no longer hear it: a log on a full disk or a lost terminal stops no work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], object]


@contextmanager
def unheard() -> Iterator[None]:
    """Inside, what cannot be written is let go; but a reader that has left, as `head` does, is still an error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError):  # a full disk, a terminal that is gone; a stream that is closed
        return


def quietly(say: Say) -> Callable[[str], None]:
    """`say` that goes on whoever hears it: for what must not stop half-way, even when its reader has left."""

    def unheard_say(line: str) -> None:
        try:
            say(line)
        except (OSError, ValueError):
            return

    return unheard_say
