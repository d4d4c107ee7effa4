"""A program that does not fit into a device's memory is refused before its first call, with what to make smaller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesozoic.errors import UserError
from mesozoic.learn.device_memory import check_memory

GIB = 1 << 30


class Device:
    def __init__(self, **told: int) -> None:
        self.told = told

    def memory_stats(self) -> dict[str, int]:
        return self.told


class Program:
    """Needs 4 GiB: 2 of arguments, 2 of results of which 1 is that of an argument, and 1 meanwhile."""

    def memory_analysis(self) -> Any:
        sizes = {"argument": 2 * GIB, "output": 2 * GIB, "temp": GIB, "alias": GIB}
        return type("Sizes", (), {f"{name}_size_in_bytes": size for name, size in sizes.items()})()


@pytest.mark.parametrize(
    ("told", "needed"),
    [
        ({"bytes_limit": 3 * GIB}, "4.0"),
        ({"bytes_limit": 3 * GIB, "bytes_in_use": GIB}, "4.0"),
        ({"bytes_limit": 5 * GIB, "bytes_in_use": 4 * GIB}, "6.0"),
    ],
)
def test_what_does_not_fit_is_refused(told: dict[str, int], needed: str) -> None:
    limit = told["bytes_limit"] / GIB
    with pytest.raises(UserError, match=rf"a rollout needs {needed} GiB on each device, which has {limit} GiB for it"):
        check_memory(Program(), Device(**told), "a rollout", "--n-envs")


@pytest.mark.parametrize("told", [{}, {"bytes_limit": 4 * GIB, "bytes_in_use": 2 * GIB}])
def test_what_fits_passes_and_so_does_what_nobody_knows(told: dict[str, int]) -> None:
    check_memory(Program(), Device(**told), "a rollout", "--n-envs")


def test_the_update_is_checked_too(make: Callable[..., Any]) -> None:
    _, learner = make()
    kind = type(learner.collector.placement)
    learner.collector.placement = type("Small", (kind,), {"device": Device(bytes_limit=9)})()
    with pytest.raises(UserError, match=r"the update on \d+ samples needs .* lower --n-envs, ppo\.n_steps or ppo\."):
        learner.learn()
