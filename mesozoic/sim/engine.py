"""The small interfaces behind which every physics engine stands.

An engine moves `n` bodies of one animal. It never sees a reward, and the task never sees an engine.
"""

from __future__ import annotations

from typing import Any, Protocol

from mesozoic.species.anatomy import Anatomy
from mesozoic.task.arrays import Array, Sensed

State = dict[str, Any]
"""Nested dictionaries of numpy arrays and JSON scalars."""
EngineState = Any
"""A device engine's own state: a tree of arrays `[n, ...]`."""


class Engine(Protocol):
    """An engine on the host that keeps its state to itself.

    Attributes:
        n: worlds; anatomy: constants of the animal.
    """

    n: int
    anatomy: Anatomy

    def reset(self, mask: Array, qpos: Array, qvel: Array, fields: dict[str, Array]) -> None:
        """Place the worlds of `mask` [n] bool at `qpos` [m, nq], `qvel` [m, nv], m = mask.sum().

        `fields`: what differs from the model in these worlds, name -> [m] (see `task.model_fields`).
        """

    def step(self, ctrl: Array, push: Array, active: Array | None = None) -> None:
        """Advance one control period under servo targets [n, nu] and torso forces [n, 3] in newtons.

        `active` [n] bool restricts it to some worlds; the others stay as they are.
        """

    def sensed(self, mask: Array | None = None) -> Sensed:
        """What the worlds, or those of `mask` [n] bool, look like now."""

    def state(self, mask: Array | None = None) -> State:
        """Everything that the worlds, or those of `mask` [n] bool, need to continue bit for bit."""

    def set_state(self, state: State, mask: Array | None = None) -> None:
        """Continue from what `state` returned; with `mask`, in as many worlds of this engine."""


class PureEngine(Protocol):
    """An engine on a device: pure functions that work under `jax.jit` and `jax.lax.scan`."""

    anatomy: Anatomy

    def place(self, qpos: Array, qvel: Array, fields: dict[str, Array]) -> EngineState:
        """Worlds at `qpos` [n, nq], `qvel` [n, nv] under the home servo targets; `fields` as in `Engine.reset`."""

    def step(self, state: EngineState, ctrl: Array, push: Array) -> EngineState:
        """One control period later, under servo targets [n, nu] and torso forces [n, 3] in newtons."""

    def sensed(self, state: EngineState) -> Sensed:
        """What the worlds look like."""
