"""Constants of the task in the form in which NumPy needs least time for them, made once.

With one world, most of a control step is what NumPy needs to begin an operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")


@lru_cache(maxsize=1024)
def single(value: float) -> NDArray[np.float32]:
    """A number as a float32 array [].

    NumPy needs a quarter of the time of a Python number for it, beside an array of one world, and gives the same bits.
    """
    return _constant(value, np.float32)


@lru_cache(maxsize=1024)
def whole(value: int) -> NDArray[np.int32]:
    """A number as an int32 array []; see `single`."""
    return _constant(value, np.int32)


def _constant(value: float, kind: Any) -> NDArray[Any]:
    array = np.array(value, dtype=kind)
    array.flags.writeable = False
    return array


def once(function: Callable[..., Value]) -> Callable[..., Value]:
    """Remembers what a function of unchanging objects gave, by their identity: an animal's anatomy, a stage's task."""
    known: dict[tuple[int, ...], tuple[Any, Value]] = {}

    def remembered(*constants: Any) -> Value:
        key = tuple(map(id, constants))
        found = known.get(key)
        if found is None:
            if len(known) >= REMEMBERED:
                known.clear()
            found = known[key] = (constants, function(*constants))  # keeps them, so that no other takes their identity
        return found[1]

    return remembered


REMEMBERED = 64
"""Animals or stages, at most, of which constants are kept."""
