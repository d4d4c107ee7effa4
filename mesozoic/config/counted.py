"""Keys that count in batches or updates, as an earlier system did, and the keys in steps that they become.

Their value depends on the worlds and the steps of a rollout, so it is known once a stage file and all overrides are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mesozoic.config.schema import PPOSection, StageSection
from mesozoic.errors import shown, written

COUNTED = {
    "jax.num_minibatches": "ppo.batch_size",
    "jax.warmup_updates": "curriculum.warmup_timesteps",
    "jax.ramp_updates": "curriculum.ramp_timesteps",
}
"""Each and the key that it decides."""

Value = TypeVar("Value")
Layer = dict[str, object]
"""Values by `section.key`."""


def target(path: str) -> str:
    """The key that `path` decides: what it counts for, or itself."""
    return COUNTED.get(path, path)


def put(into: dict[str, Value], path: str, value: Value) -> None:
    """Set a key, in place of whatever decided the same before."""
    for other in [one for one in into if target(one) == target(path)]:
        del into[other]
    into[path] = value


def resolve(values: Mapping[str, object]) -> tuple[Layer, list[tuple[str, str]]]:
    """The values in steps.

    Returns:
        Them, and a complaint about each count that cannot be, as its path and what is wrong.
    """
    found = {path: value for path, value in values.items() if path not in COUNTED}
    wrong = []
    for path in COUNTED.keys() & values.keys():
        steps, complaint = in_steps(path, values[path], found)
        if complaint:
            wrong.append((path, complaint))
        elif steps is not None:
            found[target(path)] = steps
    return found, sorted(wrong)


def in_steps(path: str, value: object, values: Mapping[str, object]) -> tuple[int | None, str]:
    """What a count comes to, given the worlds and the steps of a rollout in `values`.

    Returns:
        The value of the key that it decides; None if there is none. And what is wrong with the count, if anything is.
    """
    batches = path == "jax.num_minibatches"
    count = whole(value)
    if count is None or count < batches:
        least = 1 if batches else 0
        return (
            None,
            f"should be a whole number of at least {least}, but it is {shown(written(value))}; correct that value",
        )
    worlds = whole(values.get("stage.n_envs", StageSection.model_fields["n_envs"].default))
    length = whole(values.get("ppo.n_steps", PPOSection.model_fields["n_steps"].default))
    if not worlds or not length or worlds < 0 or length < 0:  # said by the check of those
        return None, ""
    rollout = worlds * length
    if not batches:
        return count * rollout, ""
    if rollout % count:
        fits = max(size for size in range(1, min(count, rollout) + 1) if rollout % size == 0)
        return None, (
            f"is {count}, but a rollout of stage.n_envs * ppo.n_steps = {worlds} * {length} = {rollout} steps does not"
            f" divide into so many batches; give {fits}"
        )
    return rollout // count, ""


def whole(value: object) -> int | None:
    """A whole number as it is, also one that a sweep service wrote as a float; anything else is None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
